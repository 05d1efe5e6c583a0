"""os-server-groups as Nova has it: shapes by microversion, refusals, quotas, members."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from services.compute.tests.cloud import IMAGE, NETWORK, ComputeHarness, running_compute

from synnefo_common.db.recorder import record_queries
from synnefo_compute.api import versions

URL = "/v2.1/os-server-groups"
KEYS = {"id", "name", "policies", "members", "metadata"}


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


@pytest.fixture
async def newest(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ComputeHarness]:
    """What compute answers once it serves newer versions."""
    monkeypatch.setattr(versions, "MAXIMUM", "2.64")
    async with running_compute() as h:
        yield h


async def create(h: ComputeHarness, policy: str = "anti-affinity", *, name: str = "g") -> str:
    answer = await h.as_member().post(URL, json={"server_group": {"name": name, "policies": [policy]}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["server_group"]["id"])


def server(**hints: Any) -> dict[str, Any]:
    return {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}, "os:scheduler_hints": hints}


async def test_group_lives_as_in_nova(h: ComputeHarness) -> None:
    group_id = await create(h)
    shown = (await h.as_member().get(f"{URL}/{group_id}")).json()["server_group"]
    assert shown == {"id": group_id, "name": "g", "policies": ["anti-affinity"], "members": [], "metadata": {}}
    assert (await h.as_member().get(URL)).json() == {"server_groups": [shown]}
    assert h.quota.used["compute.server_groups"] == 1
    deleted = await h.as_member().delete(f"{URL}/{group_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert h.quota.used["compute.server_groups"] == 0
    for answer in (await h.as_member().get(f"{URL}/{group_id}"), await h.as_member().delete(f"{URL}/{group_id}")):
        assert answer.status_code == 404
        assert answer.json()["itemNotFound"]["message"] == f"Instance group {group_id} could not be found."


async def test_answers_follow_the_version(newest: ComputeHarness) -> None:
    h, member = newest, newest.as_member()
    soft = {"server_group": {"name": "soft", "policies": ["soft-affinity"]}}
    assert (await member.post(URL, json=soft, headers=at("2.14"))).status_code == 400
    made = (await member.post(URL, json=soft, headers=at("2.15"))).json()["server_group"]
    assert set(made) == KEYS | {"project_id", "user_id"}
    assert set((await member.get(f"{URL}/{made['id']}", headers=at("2.12"))).json()["server_group"]) == KEYS
    body = {"server_group": {"name": "two", "policy": "anti-affinity", "rules": {"max_server_per_host": "2"}}}
    assert (await member.post(URL, json=body, headers=at("2.63"))).status_code == 400
    newer = (await member.post(URL, json=body, headers=at("2.64"))).json()["server_group"]
    assert set(newer) == {"id", "name", "policy", "rules", "members", "project_id", "user_id"}
    assert (newer["policy"], newer["rules"]) == ("anti-affinity", {"max_server_per_host": 2})
    assert (newer["project_id"], newer["user_id"]) == (h.project_id, made["user_id"])
    listed = (await member.get(URL, headers=at("2.64"))).json()["server_groups"]
    assert [(group["policy"], group["rules"]) for group in listed] == [("soft-affinity", {}), ("anti-affinity", {"max_server_per_host": 2})]
    for wrong in (
        {"name": "g", "policies": ["affinity"]}, {"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 2}},
        {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 0}}, {"name": "g", "policy": "legacy"}, {"name": "g"},
        {"name": "g", "policy": "anti-affinity", "rules": {"other": 1}},
    ):
        assert (await member.post(URL, json={"server_group": wrong}, headers=at("2.64"))).status_code == 400, wrong


@pytest.mark.parametrize(
    "wrong",
    [{"name": "g"}, {"name": "", "policies": ["affinity"]}, {"name": "g", "policies": []}, {"name": "g", "policies": ["affinity", "anti-affinity"]},
     {"name": "g", "policies": ["soft-affinity"]}, {"name": "g", "policy": "affinity"}, {"name": "g", "policies": ["affinity"], "rules": {}},
     {"name": " g", "policies": ["affinity"]}, {"name": "g", "policies": "affinity"}, {"name": "g", "policies": ["affinity"], "id": "x"}],
)  # fmt: skip
async def test_wrong_groups_are_refused(h: ComputeHarness, wrong: dict[str, Any]) -> None:
    assert (await h.as_member().post(URL, json={"server_group": wrong})).status_code == 400
    assert h.quota.used["compute.server_groups"] == 0


async def test_groups_of_others_are_not_there(h: ComputeHarness) -> None:
    group_id, other = await create(h), h.as_project()
    assert (await other.get(f"{URL}/{group_id}")).status_code == 404
    assert (await other.delete(f"{URL}/{group_id}")).status_code == 404
    assert (await other.get(f"{URL}?all_projects=1")).json() == {"server_groups": []}
    assert (await other.post("/v2.1/servers", json=server(group=group_id))).status_code == 400
    assert [group["id"] for group in (await h.as_admin().get(f"{URL}?all_projects=1")).json()["server_groups"]] == [group_id]


async def test_pages_go_by_limit_and_offset(h: ComputeHarness) -> None:
    made = [await create(h, name=f"g{number}") for number in range(3)]

    async def page(query: str) -> list[str]:
        return [group["id"] for group in (await h.as_member().get(f"{URL}?{query}")).json()["server_groups"]]

    assert [await page("limit=2"), await page("limit=2&offset=2"), await page("limit=0")] == [made[:2], made[2:], made]
    for query in ("limit=-1", "limit=x", "offset=-1", "offset=x"):
        assert (await h.as_member().get(f"{URL}?{query}")).status_code == 400


async def test_list_takes_the_same_statements_for_one_group_and_for_many(h: ComputeHarness) -> None:
    await create(h)
    with record_queries(h.db) as few:
        await h.as_member().get(URL)
    for number in range(8):
        await create(h, name=f"g{number}")
    with record_queries(h.db) as many:
        await h.as_member().get(URL)
    few_, many_ = ([text for text in recorder.texts() if "server_group" in text] for recorder in (few, many))
    assert len(few_) == len(many_) == 2


@pytest.mark.parametrize("hint", ["no-uuid", 7, ["a"], "a0000000-0000-4000-8000-00000000dead"])
async def test_hint_that_names_no_group_is_refused(h: ComputeHarness, hint: Any) -> None:
    answer = await h.as_member().post("/v2.1/servers", json=server(group=hint))
    assert answer.status_code == 400
    assert "group" in answer.json()["badRequest"]["message"]
    assert h.quota.used["compute.instances"] == 0


async def test_a_group_takes_so_many_servers_and_no_more() -> None:
    async with running_compute(overrides={"server_group_members": 2}) as h:
        group_id = await create(h, "affinity")
        assert (await h.as_member().get(f"/v2.1/os-quota-sets/{h.project_id}")).json()["quota_set"]["server_group_members"] == 2
        body = server(group=group_id)
        body["server"] |= {"min_count": 3}
        refused = await h.as_member().post("/v2.1/servers", json=body)
        assert (refused.status_code, refused.json()["forbidden"]["message"]) == (403, "Quota exceeded, too many servers in group")
        await h.settle()
        assert sum(h.quota.reserved_amounts.values()) == 0
        body["server"]["min_count"] = 2
        assert (await h.as_member().post("/v2.1/servers", json=body)).status_code == 202
        assert (await h.as_member().post("/v2.1/servers", json=server(group=group_id))).status_code == 403
