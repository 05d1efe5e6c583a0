"""One service alone, in this process: real application, SQLite in a temporary file, memory bus, fake peers, chosen identities."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
from sqlalchemy import func, or_, select

from synnefo_common.auth.claims import Claims
from synnefo_common.bus import MemoryBus, Outgoing
from synnefo_common.clock import MICROS, SystemClock
from synnefo_common.contracts.envelope import Envelope
from synnefo_common.db.tables import outbox, sagas
from synnefo_common.errors import Unauthorized
from synnefo_common.http import HttpClient
from synnefo_common.http.testing import FakePeers, asgi_client
from synnefo_common.ids import RandomIds
from synnefo_common.log import setup_logging
from synnefo_common.quota import FakeQuota
from synnefo_common.service import Service
from synnefo_common.settings import SERVICES, CommonSettings, ServiceSettings
from synnefo_common.testing.waiting import wait_until

ROLES = {"admin": ("admin", "manager", "member", "reader"), "manager": ("manager", "member", "reader"), "member": ("member", "reader")}


class TestClock(SystemClock):
    """The system's clock, moved ahead by what `advance` was given."""

    __test__ = False

    def __init__(self) -> None:
        self._ahead_us = 0

    def now_us(self) -> int:
        return super().now_us() + self._ahead_us

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead_us / MICROS

    def advance(self, seconds: float) -> None:
        self._ahead_us += int(seconds * MICROS)


class TestVerifier:
    """Tokens that the test made up."""

    __test__ = False

    def __init__(self) -> None:
        self.tokens: dict[str, Claims] = {}

    async def verify(self, token: str) -> Claims:
        try:
            return self.tokens[token]
        except KeyError:
            raise Unauthorized("The request you have made requires authentication.") from None

    async def follow(self) -> None:
        return None


class Harness:
    """`async with Harness(build, Settings, {…}) as h`.

    `work`: run relay, consumers, sagas and reconcilers too. Peers are at `http://<name>`; `h.quota` is permissive until limited.
    """

    project_id = "11111111111111111111111111111111"
    other_project_id = "22222222222222222222222222222222"
    user_id = "33333333333333333333333333333333"
    other_user_id = "44444444444444444444444444444444"

    def __init__(
        self,
        build: Callable[..., Service],
        settings_class: type[ServiceSettings],
        overrides: Mapping[str, Any] | None = None,
        *,
        work: bool = True,
        database_url: str = "sqlite://",
        peers: Mapping[str, Callable[[FakePeers], None]] | None = None,
    ) -> None:
        setup_logging(level="WARNING")
        self._tmp = tempfile.TemporaryDirectory(prefix="synnefo-test-")
        self.dir = Path(self._tmp.name)
        urls = {name: f"http://{name}" for name in SERVICES}
        common = CommonSettings(internal_urls=urls, public_urls=urls)
        self.settings = settings_class(**{"database_url": database_url, "common": common, **(overrides or {})})
        self.clock = TestClock()
        self.ids = RandomIds()
        self.bus = MemoryBus()
        self.verifier = TestVerifier()
        self.peers = FakePeers(SERVICES, clock=self.clock)
        for prepare in (peers or {}).values():
            prepare(self.peers)
        self.quota = FakeQuota(clock=self.clock, ids=self.ids)
        self._build = build
        self._work = work
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.service: Service

    async def __aenter__(self) -> Self:
        self._make()
        await self.db.create_all(self.service.metadata)
        await self.service.start(serve=False, work=self._work)
        return self

    def _make(self) -> None:
        http = HttpClient(transport=self.peers.transport())
        self.service = self._build(
            self.settings, bus=self.bus, clock=self.clock, ids=self.ids, verifier=self.verifier, http=http, quota=self.quota
        )

    async def kill(self) -> None:
        """Drop the service where it stands, as kill -9 does. Needs a database that outlives it: give a `database_url`."""
        if self.settings.database_url == "sqlite://":
            raise ValueError("a private database dies with its service: give the harness a database_url")
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
        await self.service.drop()

    async def rise(self, *, work: bool | None = None) -> None:
        """After `kill`: build and start the service anew on the same database, bus and peers."""
        self._make()
        await self.service.start(serve=False, work=self._work if work is None else work)

    async def restart(self) -> None:
        """`kill` and `rise`."""
        await self.kill()
        await self.rise()

    async def __aexit__(self, *_exc: object) -> None:
        for client in self._clients.values():
            await client.aclose()
        await self.service.stop()
        self._tmp.cleanup()

    @property
    def db(self) -> Any:
        """The service's database."""
        return self.service.kit.db

    def token(
        self,
        *roles: str,
        project_id: str | None = None,
        user_id: str | None = None,
        domain_id: str | None = None,
        system: bool = False,
    ) -> str:
        """A token with these role names (implied ones must be given; `as_*` do)."""
        claims = Claims(
            user_id=user_id or self.user_id, user_domain_id="default", methods=("password",), audit_ids=(self.ids.token_urlsafe(),),
            issued_at=self.clock.now_us(), expires_at=self.clock.now_us() + 3600 * MICROS,
            project_id=project_id, project_domain_id="default" if project_id else None, domain_id=domain_id, system=system,
            roles=tuple((f"role-{name}", name) for name in roles),
        )  # fmt: skip
        token = self.ids.token_urlsafe(24)
        self.verifier.tokens[token] = claims
        return token

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client that sends this token (or none)."""
        key = token or ""
        if key not in self._clients:
            headers = {"X-Auth-Token": token} if token else None
            self._clients[key] = asgi_client(self.service.app, headers=headers)
        return self._clients[key]

    def _as(self, name: str, roles: tuple[str, ...], project_id: str, user_id: str) -> httpx.AsyncClient:
        if name not in self._clients:
            self._clients[name] = asgi_client(
                self.service.app, headers={"X-Auth-Token": self.token(*roles, project_id=project_id, user_id=user_id)}
            )
        return self._clients[name]

    def as_member(self) -> httpx.AsyncClient:
        """A member of `project_id`."""
        return self._as("member", ROLES["member"], self.project_id, self.user_id)

    def as_manager(self) -> httpx.AsyncClient:
        """A manager of `project_id`."""
        return self._as("manager", ROLES["manager"], self.project_id, self.user_id)

    def as_reader(self) -> httpx.AsyncClient:
        """A reader of `project_id`."""
        return self._as("reader", ("reader",), self.project_id, "55555555555555555555555555555555")

    def as_admin(self) -> httpx.AsyncClient:
        """The cloud's administrator, in a project of its own."""
        return self._as("admin", ROLES["admin"], "99999999999999999999999999999999", "66666666666666666666666666666666")

    def as_project(self, project_id: str | None = None) -> httpx.AsyncClient:
        """A member of another project."""
        wanted = project_id or self.other_project_id
        return self._as(f"project {wanted}", ROLES["member"], wanted, self.other_user_id)

    def anonymous(self) -> httpx.AsyncClient:
        """Nobody."""
        return self.client(None)

    def internal(self) -> httpx.AsyncClient:
        """Another service."""
        return self._as("service", ("service",), "77777777777777777777777777777777", "88888888888888888888888888888888")

    @property
    def events(self) -> list[Envelope]:
        """What this service has published, oldest first."""
        return [Envelope.from_bytes(m.body, routing_key=m.routing_key) for m in self.bus.published]

    def events_of(self, type_: str) -> list[dict[str, Any]]:
        """The data of published events of one type."""
        return [e.data for e in self.events if e.type == type_]

    async def deliver(self, type_: str, data: Mapping[str, Any], *, key: str | None = None, message_id: str | None = None) -> None:
        """An event from another service, delivered now (raises what the consumer raises)."""
        body = {
            "id": message_id or self.ids.uuid(), "type": type_, "version": 1, "occurred_at": self.clock.now_us(), "aggregate": "test",
            "aggregate_id": "test", "aggregate_seq": self.clock.now_us(), "data": dict(data),
        }  # fmt: skip
        await self.bus.publish(Outgoing("synnefo.events", key or type_, str(body["id"]), orjson.dumps(body)))

    async def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until the outbox is empty and no saga can run."""

        async def calm() -> bool:
            due = or_(sagas.c.state.in_(("running", "unwinding")), sagas.c.next_at <= self.clock.now_us())
            waiting = select(func.count()).select_from(outbox).scalar_subquery()
            moving = select(func.count()).select_from(sagas).where(due).scalar_subquery()
            async with self.db.read() as uow:
                # One statement: between two, PostgreSQL lets a saga end and leave a message that neither sees.
                return bool(await uow.scalar(select(waiting + moving)) == 0)

        await wait_until(calm, timeout_s, what="outbox empty, sagas idle")
