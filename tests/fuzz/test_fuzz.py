"""Every operation of every OpenAPI document with random input, right and wrong: no answer is the server's error.

Each service alone, in process, with databases held to PostgreSQL's rules. `SYNNEFO_NIGHT=1` gives far more examples.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from tests.fuzz.strict_database import hold_to_postgres

from synnefo_common.service import Service
from synnefo_common.testing import Harness, routes_of

EXAMPLES = 2000 if os.environ.get("SYNNEFO_NIGHT") == "1" else 50
TIMEOUT_S = 10
PASSWORDS = {f"{user}_password": "pw" for user in ("admin", "demo", "alt_demo")}
# service → settings of its own
SERVICES: dict[str, dict[str, Any]] = {
    "identity": {"bootstrap": PASSWORDS},
    "compute": {},
    "network": {},
    "image": {"store_url": "memory:"},
    "volume": {"store_url": "memory:"},
    "object": {"store_url": "memory:"},
    "dispatcher": {"service_password": "x"},
}
JSON_TYPES = ["application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch"]
schemathesis.serializer.alias(JSON_TYPES, "application/json")
LONG_POLLS = {"/internal/v1/revocations"}  # they wait by design
NASTY = [
    "", "0", "-1", "1", "x", "\x00", "a\x00b", "é", "\U0001f600", "%", "_", "*", "[", "(a+)+$", "\\", "'", '"', "a" * 5000, "9" * 30, "9" * 5000,
    "-" + "9" * 30, "1e400", "nan", "true", "None", "null", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "in:a,b", "gt:x", "a:b:c,d",
]  # fmt: skip
QUERIES = [
    "limit", "marker", "offset", "sort", "sort_key", "sort_dir", "name", "status", "id", "fields", "all_tenants", "changes-since", "ip",
    "user_id", "project_id", "tenant_id", "deleted", "start", "end", "detailed", "is_public", "minRam", "minDisk", "prefix", "delimiter",
    "format", "end_marker", "include_names", "domain_id", "enabled", "size_min", "created_at", "tags", "image", "flavor", "host", "usage",
    "page_reverse", "shared", "mac_address", "fixed_ips", "metadata", "path", "multipart-manifest",
    "hashmap", "version", "until", "update", "meta", "public", "version-id", "epoch", "after", "wait",
]  # fmt: skip


def load(name: str) -> tuple[Any, Any]:
    """(build, Settings) of a service; skips the test if it is not there yet."""
    try:
        main, settings = importlib.import_module(f"synnefo_{name}.main"), importlib.import_module(f"synnefo_{name}.settings")
    except ModuleNotFoundError as error:
        pytest.skip(f"no service {name}: {error}")
    return main.build, settings.Settings


@asynccontextmanager
async def harness(name: str) -> AsyncIterator[Harness]:
    build, settings = load(name)
    async with Harness(build, settings, SERVICES[name], work=False) as h:
        yield h


@contextmanager
def running(name: str) -> Iterator[tuple[Harness, asyncio.Runner]]:
    """The service and the loop that it lives in; hypothesis calls synchronous functions."""
    with asyncio.Runner() as runner:
        context = harness(name)
        h = runner.run(context.__aenter__())
        try:
            yield h, runner
        finally:
            runner.run(context.__aexit__(None, None, None))


def operations(app: Any) -> list[Any]:
    """What schemathesis makes of the application's document."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    found: list[Any] = list(schema.get_all_operations())
    return [operation for result in found if (operation := result.ok()).path not in LONG_POLLS]


def cases(operation: Any) -> st.SearchStrategy[Any]:
    """Right and wrong input, half and half where both can be made."""
    positive: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not operation.body and not list(operation.iter_parameters()):
        return positive
    return st.one_of(positive, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


async def send(client: Any, case: Any) -> Any:
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    headers = {k: v for k, v in prepared.headers.items() if k.lower() != "x-auth-token"}
    async with asyncio.timeout(TIMEOUT_S):
        return await client.request(prepared.method, prepared.url, content=prepared.body, headers=headers)


def fuzz_operation(h: Harness, runner: asyncio.Runner, operation: Any) -> list[str]:
    """What went wrong with one operation."""
    wrong: list[str] = []
    turn = 0

    @hypothesis.seed(hash_of(operation))
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate], verbosity=hypothesis.Verbosity.quiet,
    )  # fmt: skip
    @hypothesis.given(case=cases(operation))
    def once(case: Any) -> None:
        nonlocal turn
        turn += 1
        clients = (h.internal(),) if operation.path.startswith("/internal/") else (h.as_member(), h.as_admin())
        try:
            answer = runner.run(send(clients[turn % len(clients)], case))
        except (UnicodeError, requests.RequestException, httpx.InvalidURL, ValueError):
            hypothesis.reject()  # cannot be sent over HTTP at all
        except TimeoutError:
            wrong.append(f"{operation.method.upper()} {operation.path}: no answer in {TIMEOUT_S} s; body {case.body!r:.300}")
            return
        if answer.status_code >= 500 and not wrong:
            asked = f"path {case.path_parameters!r:.200} query {case.query!r:.200} body {case.body!r:.300}"
            wrong.append(f"{operation.method.upper()} {operation.path}: {answer.status_code} {answer.text[:200]}; {asked}")

    with suppress(hypothesis.errors.Unsatisfiable):
        once()
    return wrong


def hash_of(operation: Any) -> int:
    return sum(ord(c) * i for i, c in enumerate(f"{operation.method} {operation.path}", 1))


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_to_postgres(monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(36000 if EXAMPLES > 50 else 900)
@pytest.mark.parametrize("name", list(SERVICES))
def test_no_random_input_is_answered_with_a_server_error(name: str, strict: None) -> None:
    with warnings.catch_warnings(), running(name) as (h, runner):
        warnings.simplefilter("ignore")
        found = operations(h.service.app)
        wrong = [text for operation in found for text in fuzz_operation(h, runner, operation)]
        print(f"{name}: {len(found)} operations, {EXAMPLES} examples each")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(SERVICES))
async def test_no_lone_query_is_answered_with_a_server_error(name: str, strict: None) -> None:
    """Filters and pages are read outside the documents: each name with nasty values, by night with all."""
    wrong = []
    async with harness(name) as h:
        lists = [path for method, path in sorted(routes_of(h.service.app)) if method == "GET" and "{" not in path and path not in LONG_POLLS]
        for path in lists:
            client = h.internal() if path.startswith("/internal/") else h.as_admin()
            for index, query in enumerate(QUERIES):
                for value in NASTY if EXAMPLES > 50 else (NASTY[(index * 7 + n * 5) % len(NASTY)] for n in range(6)):
                    async with asyncio.timeout(TIMEOUT_S):
                        answer = await client.get(f"{path}?{query}={quote(value)}")
                    if answer.status_code >= 500 and not path.endswith("/readyz"):
                        wrong.append(f"GET {path}?{query}={value[:40]!r}: {answer.status_code} {answer.text[:200]}")
                        break
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", list(SERVICES))
def test_the_document_names_every_route(name: str) -> None:
    build, settings = load(name)
    service: Service = build(settings(**SERVICES[name] | {"database_url": "sqlite://"}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one handler for many methods
        paths = service.app.openapi()["paths"]
    named = {(method.upper(), _plain(path)) for path, methods in paths.items() for method in methods}
    assert {(method, _plain(path)) for method, path in routes_of(service.app)} - named == set()
    asyncio.run(_close(service))


def _plain(path: str) -> str:
    """Without the converter's name, the closing slash, which the middleware strips, and the suffix of an old client."""
    return path.replace(":path}", "}").removesuffix(".json").rstrip("/") or "/"


async def _close(service: Service) -> None:
    await service.kit.http.close()
    await service.kit.db.close()
