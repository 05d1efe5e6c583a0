"""The quota ledger over its internal API and its events."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import pytest
from services.identity.tests.cloud import Cloud

from synnefo_common.bus import Outgoing
from synnefo_common.db.recorder import record_queries
from synnefo_identity.app import quota

PROJECT = "11111111111111111111111111111111"
USER = "33333333333333333333333333333333"


class Ledger:
    """The ledger as a service uses it."""

    def __init__(self, cloud: Cloud, client: httpx.AsyncClient) -> None:
        self.cloud = cloud
        self.client = client

    async def ask(self, provisions: dict[str, int], key: str | None = None, **more: Any) -> httpx.Response:
        body = {
            "issuer": "compute",
            "project_id": PROJECT,
            "user_id": USER,
            "provisions": provisions,
            "lease_s": 300,
        } | more
        return await self.client.post("/internal/v1/commissions", json=body, headers={"Idempotency-Key": key} if key else None)

    async def reserve(self, provisions: dict[str, int], **more: Any) -> str:
        answer = await self.ask(provisions, **more)
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def tell(self, type_: str, data: dict[str, Any], message_id: str | None = None) -> None:
        from synnefo_common.contracts.envelope import Envelope

        ids, now = self.cloud.svc.ids, self.cloud.clock.now_us()
        envelope = Envelope(message_id or ids.uuid(), type_, 1, now, "quota_commission", "x", now, data)
        await self.cloud.bus.publish(Outgoing("synnefo.events", type_, envelope.id, envelope.to_bytes()))

    async def accept(self, commission_id: str) -> None:
        await self.tell("quota.commission.accepted", {"commission_id": commission_id})

    async def reject(self, commission_id: str) -> None:
        await self.tell("quota.commission.rejected", {"commission_id": commission_id})

    async def release(self, provisions: dict[str, int], message_id: str | None = None) -> None:
        await self.tell("quota.released", {"project_id": PROJECT, "user_id": USER, "provisions": provisions}, message_id)

    async def limit(self, values: dict[str, int], project_id: str = PROJECT) -> None:
        answer = await self.client.put(f"/internal/v1/limits/{project_id}", json={"limits": values})
        assert answer.status_code == 200, answer.text

    async def holding(self, resource: str, project_id: str = PROJECT, **more: str) -> tuple[int, int, int]:
        answer = await self.client.get("/internal/v1/holdings", params={"project_id": project_id, "prefix": resource} | more)
        found = answer.json()["holdings"][resource]
        return found["limit"], found["used"], found["reserved"]


@pytest.fixture
async def ledger(cloud: Cloud) -> Ledger:
    return Ledger(cloud, await cloud.login("compute"))


async def test_every_resource_is_there_with_its_default(ledger: Ledger) -> None:
    holdings = (await ledger.client.get(f"/internal/v1/holdings?project_id={PROJECT}")).json()["holdings"]
    assert len(holdings) == 24
    assert holdings["compute.instances"] == {"limit": 10, "used": 0, "reserved": 0}
    assert holdings["compute.ram_mib_running"]["limit"] == -1
    assert holdings["object.bytes"]["limit"] == -1


async def test_two_phases(ledger: Ledger) -> None:
    commission = await ledger.reserve({"compute.instances": 1, "compute.cores": 4})
    assert await ledger.holding("compute.cores") == (20, 0, 4)
    await ledger.accept(commission)
    assert await ledger.holding("compute.cores") == (20, 4, 0)
    assert await ledger.holding("compute.instances") == (10, 1, 0)
    await ledger.release({"compute.instances": 1, "compute.cores": 4})
    assert await ledger.holding("compute.cores") == (20, 0, 0)
    rejected = await ledger.reserve({"compute.cores": 4})
    await ledger.reject(rejected)
    assert await ledger.holding("compute.cores") == (20, 0, 0)


async def test_all_or_nothing_with_the_reason(ledger: Ledger) -> None:
    answer = await ledger.ask({"compute.cores": 1, "compute.instances": 11, "network.ports": 1})
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["fault"] == "quota.exceeded"
    assert error["details"] == {"resource": "compute.instances", "limit": 10, "used": 0, "requested": 11}
    for resource in ("compute.cores", "compute.instances", "network.ports"):
        assert (await ledger.holding(resource))[1:] == (0, 0)


async def test_first_decision_stands(ledger: Ledger) -> None:
    commission = await ledger.reserve({"compute.cores": 4})
    await ledger.accept(commission)
    await ledger.accept(commission)
    await ledger.reject(commission)
    assert await ledger.holding("compute.cores") == (20, 4, 0)


async def test_same_message_twice_releases_once(ledger: Ledger) -> None:
    await ledger.accept(await ledger.reserve({"compute.cores": 8}))
    message = ledger.cloud.svc.ids.uuid()
    await ledger.release({"compute.cores": 2}, message)
    await ledger.release({"compute.cores": 2}, message)
    assert await ledger.holding("compute.cores") == (20, 6, 0)


async def test_release_that_overtakes_the_acceptance_leaves_nothing(ledger: Ledger) -> None:
    commission = await ledger.reserve({"compute.cores": 4})
    await ledger.release({"compute.cores": 4})
    assert await ledger.holding("compute.cores") == (20, 0, 4)
    await ledger.accept(commission)
    assert await ledger.holding("compute.cores") == (20, 0, 0)


async def test_use_that_nobody_reserved_is_counted_from_the_first_message_on(ledger: Ledger) -> None:
    """A project without a limit reserves nothing: what its owner counted is all that the ledger hears."""

    async def adjust(n: int) -> None:
        await ledger.tell("quota.adjusted", {"project_id": PROJECT, "user_id": "*", "provisions": {"object.bytes": n}})

    await adjust(1000)
    assert (await ledger.holding("object.bytes"))[1:] == (1000, 0)
    await adjust(-400)
    await adjust(5)
    assert (await ledger.holding("object.bytes"))[1:] == (605, 0)


async def test_same_key_is_the_same_commission(ledger: Ledger) -> None:
    first = await ledger.ask({"compute.cores": 4}, key="saga:commission")
    again = await ledger.ask({"compute.cores": 4}, key="saga:commission")
    assert again.json() == first.json()
    assert await ledger.holding("compute.cores") == (20, 0, 4)
    assert (await ledger.ask({"compute.cores": 5}, key="saga:commission")).status_code == 422
    refused = await ledger.ask({"compute.instances": 99}, key="another")
    assert refused.status_code == 403
    assert (await ledger.ask({"compute.instances": 1}, key="another")).status_code == 201


async def test_limits_may_go_below_use(ledger: Ledger) -> None:
    await ledger.accept(await ledger.reserve({"compute.cores": 8}))
    await ledger.limit({"compute.cores": 2})
    assert await ledger.holding("compute.cores") == (2, 8, 0)
    assert (await ledger.ask({"compute.cores": 1})).status_code == 403
    await ledger.limit({"compute.cores": -1})
    await ledger.reserve({"compute.cores": 1000})
    assert (await ledger.client.delete(f"/internal/v1/limits/{PROJECT}?prefix=compute.")).status_code == 204
    assert (await ledger.holding("compute.cores"))[0] == 20


async def test_defaults_change_for_all_without_their_own(ledger: Ledger) -> None:
    await ledger.limit({"compute.cores": 3})
    answer = await ledger.client.put("/internal/v1/limits/defaults", json={"limits": {"compute.cores": 7}})
    assert answer.json()["limits"]["compute.cores"] == 7
    assert (await ledger.holding("compute.cores"))[0] == 3
    assert (await ledger.holding("compute.cores", "another"))[0] == 7
    assert (await ledger.client.put(f"/internal/v1/limits/{PROJECT}", json={"limits": {"no.such": 1}})).status_code == 400


async def test_volume_types_get_resources_of_their_own(ledger: Ledger) -> None:
    body = {"limits": {"volume.gigabytes_fast": 5}}
    assert (await ledger.client.put("/internal/v1/limits/defaults", json=body)).status_code == 200
    assert (await ledger.ask({"volume.gigabytes_fast": 6})).status_code == 403
    await ledger.reserve({"volume.gigabytes_fast": 5})


async def test_key_pairs_belong_to_the_user_wherever_he_works(ledger: Ledger) -> None:
    await ledger.limit({"compute.key_pairs": 2})
    await ledger.limit({"compute.key_pairs": 2}, "another")
    await ledger.accept(await ledger.reserve({"compute.key_pairs": 1}))
    await ledger.accept(await ledger.reserve({"compute.key_pairs": 1}, project_id="another"))
    assert (await ledger.ask({"compute.key_pairs": 1})).status_code == 403
    assert (await ledger.ask({"compute.key_pairs": 1}, user_id="somebody else")).status_code == 201
    assert await ledger.holding("compute.key_pairs", user_id=USER) == (2, 2, 0)
    assert await ledger.holding("compute.key_pairs") == (2, 0, 0)


async def test_less_is_given_back_only_when_accepted(ledger: Ledger) -> None:
    await ledger.accept(await ledger.reserve({"compute.cores": 8}))
    commission = await ledger.reserve({"compute.cores": -4, "compute.ram_mib": 10})
    assert await ledger.holding("compute.cores") == (20, 8, 0)
    await ledger.accept(commission)
    assert await ledger.holding("compute.cores") == (20, 4, 0)
    assert (await ledger.holding("compute.ram_mib"))[1:] == (10, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"provisions": {"compute.cores": 2**70}},
        {"provisions": {"compute.cores": 1.5}},
        {"provisions": {"": 1}},
        {"provisions": []},
        {"project_id": ""},
        {"project_id": "a\x00"},
        {"lease_s": -1},
        {"issuer": None},
    ],
)
async def test_bad_commissions_are_400(ledger: Ledger, change: dict[str, Any]) -> None:
    body = {"issuer": "compute", "project_id": PROJECT, "user_id": USER, "provisions": {"compute.cores": 1}} | change
    assert (await ledger.client.post("/internal/v1/commissions", json=body)).status_code == 400


async def test_only_services_may_ask(cloud: Cloud) -> None:
    admin = await cloud.login("admin")
    for method, path in (
        ("POST", "commissions"),
        ("GET", "holdings?project_id=x"),
        ("PUT", "limits/x"),
        ("GET", "projects/x"),
    ):
        body = {"issuer": "x", "project_id": "x", "provisions": {}, "limits": {}}
        answer = await admin.request(method, f"/internal/v1/{path}", json=body)
        assert answer.status_code == 403, path
        assert answer.json()["error"]["fault"] == "policy.denied"


async def test_two_hundred_at_once_at_limit_fifty(ledger: Ledger) -> None:
    await ledger.limit({"compute.instances": 50})
    answers = await asyncio.gather(*(ledger.ask({"compute.instances": 1, "compute.cores": 0}) for _ in range(200)))
    statuses = [a.status_code for a in answers]
    assert (statuses.count(201), statuses.count(403)) == (50, 150)
    assert await ledger.holding("compute.instances") == (50, 0, 50)


async def test_random_storms_agree_with_a_plain_model(ledger: Ledger) -> None:
    """Commissions, decisions, releases and limits in random order against a dictionary."""
    seed = 20261122
    rng = random.Random(seed)
    resources = ("compute.cores", "compute.instances", "network.ports")
    limits = {"compute.cores": 20, "compute.instances": 10, "network.ports": 500}
    used, pending = dict.fromkeys(resources, 0), dict.fromkeys(resources, 0)
    undecided: list[tuple[str, dict[str, int]]] = []
    for step in range(300):
        action = rng.choice(("reserve", "reserve", "reserve", "accept", "reject", "release", "limit"))
        if action == "reserve":
            wanted = {r: rng.randint(1, 6) for r in rng.sample(resources, rng.randint(1, 3))}
            fits = all(limits[r] == -1 or used[r] + pending[r] + n <= limits[r] for r, n in wanted.items())
            answer = await ledger.ask(wanted)
            assert answer.status_code == (201 if fits else 403), (seed, step, wanted)
            if fits:
                undecided.append((answer.json()["id"], wanted))
                for r, n in wanted.items():
                    pending[r] += n
        elif action in ("accept", "reject") and undecided:
            commission, wanted = undecided.pop(rng.randrange(len(undecided)))
            await (ledger.accept if action == "accept" else ledger.reject)(commission)
            for r, n in wanted.items():
                pending[r] -= n
                used[r] += n if action == "accept" else 0
        elif action == "release":
            r = rng.choice(resources)
            if used[r]:
                n = rng.randint(1, used[r])
                await ledger.release({r: n})
                used[r] -= n
        elif action == "limit":
            r = rng.choice(resources)
            limits[r] = rng.choice((-1, 0, 5, 20, 60))
            await ledger.limit({r: limits[r]})
    for r in resources:
        assert await ledger.holding(r) == (limits[r], used[r], pending[r]), (seed, r)


async def test_expired_commissions_are_settled_as_the_issuer_says(ledger: Ledger) -> None:
    said = {"accepted": 1, "rejected": 2, "unknown": 3, "pending": 4}
    states = {}
    for state, cores in said.items():
        states[await ledger.reserve({"compute.cores": cores}, lease_s=10)] = state
    gone = await ledger.reserve({"compute.cores": 5}, lease_s=10)
    live = await ledger.reserve({"compute.instances": 1}, lease_s=1000)
    peer = ledger.cloud.peers["compute"]
    peer.on("GET", "/internal/v1/commissions/{id}", lambda r: _answer(states, r.match["id"]))
    assert await quota.expire(ledger.cloud.svc) == 0
    ledger.cloud.clock.advance(11)
    peer.down = True
    assert await quota.expire(ledger.cloud.svc) == 0
    assert await ledger.holding("compute.cores") == (20, 0, 15)
    peer.down = False
    ledger.cloud.clock.advance(60)  # the breaker closes again
    assert await quota.expire(ledger.cloud.svc) == 4
    assert await ledger.holding("compute.cores") == (20, 1, 4)
    assert (await ledger.client.get(f"/internal/v1/commissions/{gone}")).json()["state"] == "rejected"
    assert (await ledger.client.get(f"/internal/v1/commissions/{live}")).json()["state"] == "pending"


def _answer(states: dict[str, str], commission_id: str) -> Any:
    if commission_id in states:
        return {"state": states[commission_id]}
    return 404, {"error": {"code": 404, "kind": "NotFound", "fault": "not_found", "message": "unknown", "details": {}}}


async def test_statements_do_not_grow_with_the_resources(ledger: Ledger) -> None:
    five = {f"network.{r}": 1 for r in ("ports", "networks", "subnets", "routers", "floating_ips")}
    await ledger.reserve(five)
    with record_queries(ledger.cloud.db) as queries:
        await ledger.reserve(five)
    assert queries.count == 3, queries.texts()


async def test_projects_can_be_asked_for(cloud: Cloud) -> None:
    service, admin = await cloud.login("compute"), await cloud.login("admin")
    demo = (await admin.get("/v3/projects?name=demo")).json()["projects"][0]
    shown = await service.get(f"/internal/v1/projects/{demo['id']}")
    assert shown.json() == {"id": demo["id"], "name": "demo", "domain_id": "default", "enabled": True}
    assert (await service.get("/internal/v1/projects/nothing")).status_code == 404
    assert (await service.get("/internal/v1/projects/default")).status_code == 404


async def test_users_can_be_asked_for(cloud: Cloud) -> None:
    service, admin = await cloud.login("object"), await cloud.login("admin")
    demo = (await admin.get("/v3/users?name=demo")).json()["users"][0]
    shown = await service.get(f"/internal/v1/users/{demo['id']}")
    assert shown.json() == {"id": demo["id"], "name": "demo", "domain_id": "default", "enabled": True}
    assert (await service.get("/internal/v1/users/nothing")).status_code == 404
    assert (await admin.get(f"/internal/v1/users/{demo['id']}")).status_code == 403
