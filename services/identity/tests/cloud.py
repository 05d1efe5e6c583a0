"""A running identity service for tests: seeded, in this process, on a temporary SQLite; logins over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from synnefo_common.bus import MemoryBus
from synnefo_common.clock import MICROS, iso, parse_iso
from synnefo_common.http import HttpClient
from synnefo_common.http.testing import FakePeers, asgi_client
from synnefo_common.ids import RandomIds
from synnefo_common.settings import SERVICES, CommonSettings
from synnefo_common.testing import TestClock
from synnefo_identity.main import build
from synnefo_identity.settings import Bootstrap, Settings

__all__ = ["MICROS", "Cloud", "iso", "parse_iso"]


class Cloud:
    """`async with Cloud() as cloud`; `await cloud.login("admin")` gives a client with a token."""

    def __init__(self, database_url: str = "sqlite://", **overrides: Any) -> None:
        urls = {name: f"http://{name}" for name in SERVICES}
        bootstrap = Bootstrap(
            admin_password="admin-pw",
            demo_password="demo-pw",
            alt_demo_password="alt_demo-pw",
            service_passwords={name: f"{name}-pw" for name in SERVICES if name != "identity"},
        )
        self.settings = Settings(
            database_url=database_url,
            bootstrap=bootstrap,
            common=CommonSettings(internal_urls=urls, public_urls=urls),
            **{"hash_time_cost": 1, "hash_memory_kib": 8, "revocation_poll_s": 0.02, **overrides},
        )
        self.clock = TestClock()
        self.bus = MemoryBus()
        self.peers = FakePeers(SERVICES, clock=self.clock)
        self._clients: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Cloud:
        self.service = build(
            self.settings,
            bus=self.bus,
            clock=self.clock,
            ids=RandomIds(),
            http=HttpClient(transport=self.peers.transport()),
        )
        await self.db.create_all(self.service.metadata)
        await self.service.start(serve=False, work=True)
        self.anonymous = self.client()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for client in self._clients:
            await client.aclose()
        await self.service.stop()

    @property
    def db(self) -> Any:
        return self.service.kit.db

    @property
    def svc(self) -> Any:
        """The use cases' object."""
        return self.service.app.state.services

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        client = asgi_client(self.service.app, headers={"X-Auth-Token": token} if token else None)
        self._clients.append(client)
        return client

    async def ask_token(self, name: str, password: str | None = None, scope: Any = None, **query: str) -> httpx.Response:
        """A password login of a user of the default domain."""
        user = {"name": name, "domain": {"id": "default"}, "password": password or f"{name}-pw"}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scope is not None:
            auth["scope"] = scope
        return await self.anonymous.post("/v3/auth/tokens", json={"auth": auth}, params=query)

    async def token(self, name: str, password: str | None = None, scope: Any = "project") -> str:
        """A token; by default for the project named like the user."""
        if scope == "project":
            project = "service" if name in SERVICES else name
            scope = {"project": {"name": project, "domain": {"name": "Default"}}}
        answer = await self.ask_token(name, password, scope)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    async def login(self, name: str, password: str | None = None, scope: Any = "project") -> httpx.AsyncClient:
        return self.client(await self.token(name, password, scope))

    async def rescope(self, token: str, scope: Any = None) -> httpx.Response:
        auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
        if scope is not None:
            auth["scope"] = scope
        return await self.anonymous.post("/v3/auth/tokens", json={"auth": auth})

    async def is_good(self, token: str) -> bool:
        """Whether the token is accepted."""
        return (await self.client(token).get("/v3/auth/projects")).status_code == 200


async def created(client: httpx.AsyncClient, collection: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST a resource and return it."""
    ((kind, _),) = body.items()
    answer = await client.post(f"/v3/{collection}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[kind]
    return found


async def role_id(client: httpx.AsyncClient, name: str) -> str:
    """Id of a role."""
    found: str = (await client.get("/v3/roles", params={"name": name})).json()["roles"][0]["id"]
    return found
