"""The quota client: events with the transaction, outcomes that exclude each other, the fake ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, String, Table, insert, select

from synnefo_common.clock import ManualClock
from synnefo_common.crashpoint import CrashInjected
from synnefo_common.db import Database, service_metadata
from synnefo_common.db.recorder import record_queries
from synnefo_common.db.tables import outbox
from synnefo_common.errors import Conflict, QuotaExceeded
from synnefo_common.quota import Commission, FakeQuota, Holding, QuotaClient, commission_state
from synnefo_common.saga import Remote, Saga, SagaContext, SagaEngine, Wait
from synnefo_common.testing import asgi_client
from synnefo_common.web import service_context
from synnefo_common.web.commissions import commission_routes

metadata = service_metadata()
things = Table("things", metadata, Column("id", String(36), primary_key=True))


class Identity:
    """The ledger's API, recorded."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any, str | None]] = []
        self.answers: dict[str, Any] = {}

    async def _call(self, method: str, path: str, json: Any = None, key: str | None = None) -> Any:
        self.calls.append((method, path, json, key))
        return self.answers.get(method)

    async def get(self, path: str, *, timeout_s: float = 30) -> Any:
        return await self._call("GET", path)

    async def post(self, path: str, json: Any = None, *, key: str | None = None, timeout_s: float = 30) -> Any:
        return await self._call("POST", path, json, key)

    async def put(self, path: str, json: Any = None, *, key: str | None = None, timeout_s: float = 30) -> Any:
        return await self._call("PUT", path, json, key)

    async def delete(self, path: str, *, key: str | None = None, timeout_s: float = 30) -> Any:
        return await self._call("DELETE", path, None, key)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, clock=ManualClock())
    await database.create_all(metadata)
    yield database
    await database.close()


@pytest.fixture
def identity() -> Identity:
    made = Identity()
    made.answers["POST"] = {"id": "c1"}
    return made


@pytest.fixture
def quota(db: Database, identity: Identity) -> QuotaClient:
    return QuotaClient(identity, issuer="network", db=db)


async def events(db: Database) -> list[tuple[str, dict[str, Any]]]:
    async with db.read() as uow:
        rows = [orjson.loads(r.body) for r in await uow.all(select(outbox).order_by(outbox.c.seq))]
    return [(r["type"], r["data"]) for r in rows]


async def test_reserve_is_one_call_with_the_key(quota: QuotaClient, identity: Identity) -> None:
    commission = await quota.reserve(("p", "u"), {"network.ports": 1, "network.networks": 0}, key="saga:commission")
    assert commission == Commission("c1", "p", "u", {"network.ports": 1})
    body = {"issuer": "network", "project_id": "p", "user_id": "u", "provisions": {"network.ports": 1}, "lease_s": 300}
    assert identity.calls == [("POST", "/internal/v1/commissions", body, "saga:commission")]


async def test_nothing_wanted_is_no_call_and_no_event(quota: QuotaClient, identity: Identity, db: Database) -> None:
    commission = await quota.reserve(("p", "u"), {"network.ports": 0})
    async with db.begin() as uow:
        quota.accept(uow, commission)
        quota.release(uow, project_id="p", user_id="u", provisions={"network.ports": 0})
    assert identity.calls == []
    assert await events(db) == []


async def test_accept_and_release_are_events_of_the_transaction(quota: QuotaClient, db: Database) -> None:
    with pytest.raises(RuntimeError):
        async with db.begin() as uow:
            quota.accept(uow, "c0")
            raise RuntimeError
    assert await commission_state(db, "c0") == "unknown"
    with record_queries(db) as q:
        async with db.begin() as uow:
            quota.accept(uow, "c1")
            quota.release(uow, project_id="p", user_id="u", provisions={"network.ports": 2})
    assert q.count == 2, q.texts()
    assert await events(db) == [
        ("quota.commission.accepted", {"commission_id": "c1"}),
        ("quota.released", {"project_id": "p", "user_id": "u", "provisions": {"network.ports": 2}}),
    ]
    assert await commission_state(db, "c1") == "accepted"


async def test_outcomes_exclude_each_other_and_may_be_repeated(quota: QuotaClient, db: Database) -> None:
    for _ in range(2):
        async with db.begin() as uow:
            quota.reject(uow, "c1")
    with pytest.raises(Conflict):
        async with db.begin() as uow:
            await uow.run(insert(things).values(id="x"))
            quota.accept(uow, "c1")
    async with db.read() as uow:
        assert await uow.all(select(things)) == []
    assert await commission_state(db, "c1") == "rejected"


async def test_commission_that_was_asked_for_and_unknown_can_no_longer_be_accepted(
    quota: QuotaClient, db: Database
) -> None:
    assert await commission_state(db, "c1") == "unknown"
    with pytest.raises(Conflict):
        async with db.begin() as uow:
            quota.accept(uow, "c1")
    async with db.begin() as uow:
        quota.reject(uow, "c1")
    assert await commission_state(db, "c1") == "unknown"


async def test_commission_of_a_live_saga_is_pending_and_can_still_be_accepted(quota: QuotaClient, db: Database) -> None:
    async def commission(ctx: SagaContext) -> dict[str, str]:
        return {"id": (await quota.reserve(("p", "u"), {"x": 1}, key=ctx.key)).id}

    engine = SagaEngine(db, service="t", sagas=[Saga("s", [Remote("commission", commission), Wait("job")])])
    async with db.begin() as uow:
        saga_id = await engine.start(uow, "s")
    await engine.run_until_idle()
    assert await commission_state(db, "c1") == "pending"
    assert await commission_state(db, "c_") == "unknown", "the id is no pattern"
    async with db.begin() as uow:
        quota.accept(uow, "c1")
        await engine.signal(uow, saga_id, "job")
    await engine.run_until_idle()
    assert await commission_state(db, "c1") == "accepted"


async def test_block_that_raises_rejects(quota: QuotaClient, db: Database) -> None:
    with pytest.raises(RuntimeError):
        async with quota.reserved(project_id="p", user_id="u", provisions={"x": 1}):
            raise RuntimeError
    assert await events(db) == [("quota.commission.rejected", {"commission_id": "c1"})]


async def test_block_that_raises_after_accepting_does_not_reject(quota: QuotaClient, db: Database) -> None:
    with pytest.raises(RuntimeError):
        async with quota.reserved(project_id="p", user_id="u", provisions={"x": 1}) as commission:
            async with db.begin() as uow:
                quota.accept(uow, commission)
            raise RuntimeError
    assert await events(db) == [("quota.commission.accepted", {"commission_id": "c1"})]


async def test_crash_in_the_block_does_nothing(quota: QuotaClient, db: Database) -> None:
    with pytest.raises(CrashInjected):
        async with quota.reserved(project_id="p", user_id="u", provisions={"x": 1}):
            raise CrashInjected("here")
    assert await events(db) == []


async def test_limits_and_holdings_use_the_ledgers_api(quota: QuotaClient, identity: Identity) -> None:
    identity.answers["GET"] = {"holdings": {"x": {"limit": -1, "used": 2, "reserved": 1}}}
    assert await quota.holdings("p", prefix="compute.") == {"x": Holding(-1, 2, 1)}
    await quota.set_limits("p", {"x": 5})
    await quota.reset_limits("p", prefix="compute.")
    assert [c[:3] for c in identity.calls] == [
        ("GET", "/internal/v1/holdings?project_id=p&prefix=compute.", None),
        ("PUT", "/internal/v1/limits/p", {"limits": {"x": 5}}),
        ("DELETE", "/internal/v1/limits/p?prefix=compute.", None),
    ]


async def test_fake_ledger_holds_the_limits_as_the_real_one(db: Database) -> None:
    fake = FakeQuota(db=db)
    fake.limits["x"] = 3
    first = await fake.reserve(("p", "u"), {"x": 2}, key="k")
    assert await fake.reserve(("p", "u"), {"x": 2}, key="k") == first, "one key, one commission"
    with pytest.raises(QuotaExceeded) as caught:
        await fake.reserve(("p", "u"), {"x": 2})
    assert caught.value.details == {"resource": "x", "limit": 3, "used": 2, "requested": 2}
    await fake.reserve(("other", "u"), {"x": 3})
    async with db.begin() as uow:
        fake.accept(uow, first)
        assert fake.used["x"] == 0, "not before the commit"
    assert (fake.used["x"], (await fake.holdings("p"))["x"]) == (2, Holding(3, 2, 0))
    async with db.begin() as uow:
        fake.release(uow, project_id="p", user_id="u", provisions={"x": 1})
    assert fake.used["x"] == 1
    with pytest.raises(RuntimeError):
        async with fake.reserved(project_id="p", user_id="u", provisions={"x": 2}):
            raise RuntimeError
    assert fake.reserved_amounts["x"] == 3, "only the other project's"
    await fake.set_limits("p", {"x": 1})
    with pytest.raises(QuotaExceeded):
        await fake.reserve(("p", "u"), {"x": 1})
    await fake.reset_limits("p", prefix="x")
    await fake.reserve(("p", "u"), {"x": 1})


async def test_identity_is_told_what_became_of_a_commission(quota: QuotaClient, db: Database) -> None:
    app = FastAPI()
    app.include_router(commission_routes(db))
    app.dependency_overrides[service_context] = lambda: None
    async with db.begin() as uow:
        quota.accept(uow, "c1")
    async with asgi_client(app) as client:
        assert (await client.get("/internal/v1/commissions/c1")).json() == {"state": "accepted"}
        assert (await client.get("/internal/v1/commissions/c2")).json() == {"state": "unknown"}
