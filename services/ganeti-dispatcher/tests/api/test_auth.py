"""Who may call what: every route, every identity. A new route without a row here fails the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from synnefo_common.testing import Harness
from synnefo_dispatcher.main import build
from synnefo_dispatcher.settings import Settings

ADMIN = {
    ("GET", "/v1/clusters"), ("POST", "/v1/clusters"), ("GET", "/v1/clusters/{name}"), ("PUT", "/v1/clusters/{name}"),
    ("DELETE", "/v1/clusters/{name}"), ("POST", "/v1/clusters/{name}/refresh"),
    ("GET", "/v1/jobs"), ("GET", "/v1/health"), ("GET", "/admin/v1/audit"),
}  # fmt: skip
SERVICE = {
    ("GET", "/internal/v1/clusters"), ("GET", "/internal/v1/instances"), ("GET", "/internal/v1/instances/{server_id}/console"),
    ("GET", "/internal/v1/instances/{server_id}/console-log"), ("GET", "/internal/v1/commissions/{commission_id}"),
}  # fmt: skip
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
BODY = {"name": "x", "rapi_url": "https://127.0.0.1:1", "username": "u", "password": "p"}


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    async with Harness(build, Settings, {"service_password": "x"}, work=False) as harness:
        yield harness


async def _status(client: Any, method: str, path: str) -> int:
    path = path.replace("{name}", "x").replace("{server_id}", "y").replace("{commission_id}", "z")
    body = {"POST": BODY, "PUT": {}}.get(method)
    return int((await client.request(method, path, json=body)).status_code)


async def test_every_route_asks_for_the_right_role(h: Harness) -> None:
    document = h.service.app.openapi()
    routes = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert routes == ADMIN | SERVICE | OPEN
    for method, path in sorted(ADMIN | SERVICE):
        assert await _status(h.anonymous(), method, path) == 401, (method, path)
        assert await _status(h.as_member(), method, path) == 403, (method, path)
        assert await _status(h.as_reader(), method, path) == 403, (method, path)
    for method, path in sorted(ADMIN):
        assert await _status(h.internal(), method, path) == 403, (method, path)
        assert await _status(h.as_admin(), method, path) not in (401, 403), (method, path)
    for method, path in sorted(SERVICE):
        assert await _status(h.as_admin(), method, path) == 403, (method, path)
        assert await _status(h.internal(), method, path) not in (401, 403), (method, path)


async def test_list_of_clusters_costs_the_same_for_one_and_for_many(h: Harness) -> None:
    from synnefo_common.db.recorder import record_queries

    counts = []
    for total in (1, 8):
        while len((await h.as_admin().get("/v1/clusters")).json()["clusters"]) < total:
            name = f"c{h.ids.hex()[:8]}"
            assert (await h.as_admin().post("/v1/clusters", json={**BODY, "name": name, "offline": True})).status_code == 201
        with record_queries(h.db) as recorded:
            await h.as_admin().get("/v1/clusters")
        counts.append(recorded.count)
    assert counts[0] == counts[1]


async def test_document_says_what_is_answered(h: Harness) -> None:
    document = h.service.app.openapi()
    answers = document["paths"]["/v1/clusters"]["post"]["responses"]
    assert {"201", "400", "401", "403", "409", "413", "503"} <= set(answers)
