"""Many at once: the quota, one volume, one server; and what a boot costs in statements."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from synnefo_common.db.recorder import record_queries
from synnefo_compute.db.clusters import reservations

pytestmark = pytest.mark.slow  # hundreds of requests at once

IMAGE = "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"
NETWORK = "a0000000-0000-4000-8000-000000000001"
BODY = {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}}
# The request, the saga's steps, the job's end and the outbox of one server, in compute alone (the whole boot may cost 45).
BOOT_STATEMENTS = 20
BOOT_CALLS = 4  # image, network twice, volume; the commission is the fifth, and the quota is a fake here


async def statuses(*calls: Any) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def test_two_hundred_creates_at_a_quota_of_fifty_make_exactly_fifty(h: Any) -> None:
    h.quota.limits["compute.instances"] = 50
    found = await statuses(*(h.as_member().post("/v2.1/servers", json=BODY) for _ in range(200)))
    assert found == {202: 50, 403: 150}
    await h.ganeti_does_all()
    listed = (await h.as_member().get("/v2.1/servers/detail")).json()["servers"]
    assert Counter(s["status"] for s in listed) == {"ACTIVE": 50}
    assert h.quota.used["compute.instances"] == 50
    assert not h.quota.pending
    assert len({job["job_token"] for job in h.jobs("create")}) == 50


async def test_fifty_attaches_of_one_volume_to_one_server_attach_it_once(h: Any) -> None:
    server_id, volume_id = await h.server(), h.ids.uuid()
    url, body = f"/v2.1/servers/{server_id}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume_id}}
    found = await statuses(*(h.as_member().post(url, json=body) for _ in range(50)))
    assert found == {200: 1, 400: 49}
    await h.ganeti_does_all()
    assert len(h.jobs("add_disk")) == 1
    assert [v["volumeId"] for v in (await h.as_member().get(url)).json()["volumeAttachments"]] == [volume_id]
    assert [v["id"] for v in h.world.volumes[server_id] if v["boot_index"] is None] == [volume_id]


async def test_fifty_attaches_of_one_volume_to_many_servers_attach_it_to_one(h: Any) -> None:
    servers, volume_id = [await h.server() for _ in range(10)], h.ids.uuid()
    body = {"volumeAttachment": {"volumeId": volume_id}}
    calls = (h.as_member().post(f"/v2.1/servers/{servers[n % 10]}/os-volume_attachments", json=body) for n in range(50))
    found = await statuses(*calls)
    assert found == {200: 1, 400: 49}
    await h.ganeti_does_all()
    assert len(h.jobs("add_disk")) == 1
    shown = [len((await h.as_member().get(f"/v2.1/servers/{s}/os-volume_attachments")).json()["volumeAttachments"]) for s in servers]
    assert sorted(shown) == [0] * 9 + [1]


async def test_of_many_actions_at_once_one_wins_and_the_others_conflict(h: Any) -> None:
    server_id = await h.server()
    url = f"/v2.1/servers/{server_id}/action"
    actions = [{"os-stop": None}, {"reboot": {"type": "SOFT"}}, {"reboot": {"type": "HARD"}}] * 10
    assert await statuses(*(h.as_member().post(url, json=a) for a in actions)) == {202: 1, 409: 29}
    await h.ganeti_does()
    assert len(h.jobs()) == 2


async def test_of_many_resizes_at_once_one_wins_and_the_ledger_counts_one(h: Any) -> None:
    await h.flavor("big", id="2", ram=256, vcpus=2)
    server_id = await h.server()
    calls = (h.as_member().post(f"/v2.1/servers/{server_id}/action", json={"resize": {"flavorRef": "2"}}) for _ in range(20))
    assert await statuses(*calls) == {202: 1, 409: 19}
    await h.ganeti_does_all()
    await h.settle()
    assert (h.quota.used["compute.cores"], h.quota.used["compute.ram_mib"]) == (2, 256)
    assert not h.quota.pending


async def test_many_deletes_at_once_are_one(h: Any) -> None:
    server_id = await h.server()
    found = await statuses(*(h.as_member().delete(f"/v2.1/servers/{server_id}") for _ in range(20)))
    assert set(found) == {204}
    await h.ganeti_does_all()
    assert len({job["job_token"] for job in h.jobs("delete")}) == 1
    assert not +h.quota.used - Counter({"network.ports": 99})


async def test_metadata_written_at_once_is_all_there(h: Any) -> None:
    server_id = await h.server()
    url = f"/v2.1/servers/{server_id}/metadata"
    assert set(await statuses(*(h.as_member().put(f"{url}/k{n}", json={"meta": {f"k{n}": "v"}}) for n in range(30)))) == {200}
    assert len((await h.as_member().get(url)).json()["metadata"]) == 30


async def test_servers_placed_at_once_never_promise_more_than_a_cluster_has(h: Any) -> None:
    await h.report(mem_free_mib=128 * 10)
    await h.report("beta", mem_free_mib=128 * 10)
    await asyncio.gather(*(h.as_member().post("/v2.1/servers", json=BODY) for _ in range(30)))
    await h.settle()
    async with h.db.read() as uow:
        promised = Counter(row.cluster for row in await uow.all(select(reservations.c.cluster)))
    assert promised == {"alpha": 10, "beta": 10}
    listed = (await h.as_member().get("/v2.1/servers/detail")).json()["servers"]
    assert Counter(s["status"] for s in listed) == {"BUILD": 20, "ERROR": 10}
    assert all("not enough memory" in s["fault"]["message"] for s in listed if s["status"] == "ERROR")


async def test_a_boot_stays_within_its_budget_of_statements(h: Any) -> None:
    await h.server()  # tokens and the like are fetched once
    await h.settle()
    asked_before = sum(len(peer.requests) for peer in h.peers.values())
    with record_queries(h.db) as one:
        await h.server()
        await h.settle()
    polls = [text for text in one.texts() if "FROM outbox" in text or ("count(" in text.lower() and "sagas" in text)]
    calls = sum(len(peer.requests) for peer in h.peers.values()) - asked_before
    cost = one.count - len(polls)
    print(f"a boot in compute: {cost} statements ({len(polls)} polls left out), {calls} calls to peers")
    assert cost <= BOOT_STATEMENTS, "\n".join(one.texts())
    assert calls <= BOOT_CALLS
