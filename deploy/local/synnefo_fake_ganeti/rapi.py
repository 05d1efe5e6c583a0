"""The remote API of one fake cluster, without a socket: a request in, a reply out.

For: the routes, access rights and shapes of the real one, and the control path `/_faults`.
Not for: HTTP framing and TLS (see `server`), nor for what jobs do.
"""

import asyncio
import base64
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import orjson

from synnefo_fake_ganeti import answers, control
from synnefo_fake_ganeti.faults import Faults, Rule
from synnefo_fake_ganeti.jobs import JobQueue
from synnefo_fake_ganeti.opcodes import build_opcode
from synnefo_fake_ganeti.operations import execute
from synnefo_fake_ganeti.problems import HttpProblem
from synnefo_fake_ganeti.requests import OPCODE_ROUTES, OpcodeRoute, Request
from synnefo_fake_ganeti.state import ClusterState
from synnefo_fake_ganeti.store import MemoryStore, Store

NAME = r"([\w._-]+)"


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    fault: Rule | None = None  # what the server does to the connection


@dataclass(frozen=True)
class User:
    password: str
    may_write: bool


class Settings(NamedTuple):
    nodes: int = 1
    node_memory_mib: int = 1048576
    node_disk_mib: int = 16777216
    node_cpus: int = 64
    job_delay_s: float = 0.05
    max_running_jobs: int = 20
    archive_after_s: float = 3600.0


class FakeRapi:
    """One cluster. `start` resumes its queue; `handle` answers; `stop` lets go of its tasks."""

    def __init__(
        self,
        name: str,
        users: dict[str, User],
        *,
        settings: Settings | None = None,
        store: Store | None = None,
        random_source: random.Random | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        settings = settings or Settings()
        self._users = users
        self.faults = Faults()
        self.state = ClusterState(
            name,
            store=store or MemoryStore(),
            random_source=random_source or random.SystemRandom(),
            wall_clock=wall_clock,
        )
        self.state.ensure_nodes(
            settings.nodes,
            memory_mib=settings.node_memory_mib,
            disk_mib=settings.node_disk_mib,
            cpus=settings.node_cpus,
        )
        self.queue = JobQueue(
            self.state,
            execute=lambda opcode, log: execute(self.state, opcode, log),
            faults=self.faults,
            job_delay_s=settings.job_delay_s,
            max_running=settings.max_running_jobs,
            archive_after_s=settings.archive_after_s,
        )
        self.queue_problem: str | None = None
        self._routes = self._build_routes()

    async def start(self) -> None:
        self.queue.resume()

    async def stop(self) -> None:
        await self.queue.stop()

    async def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Header names in lower case."""
        path, _, query = target.partition("?")
        path = unquote(path)
        if path == "/_faults":
            return self._control(method, headers, body)
        fault = self.faults.for_call(method, target)
        if fault is not None and fault["fault"] == "stall":
            await asyncio.sleep(float(fault.get("seconds", 30)))
        if fault is not None and fault["fault"] in ("reset", "status"):
            return self._faulty(fault)
        try:
            value = await self._answer(method, path, query, headers, body)
            reply = Reply(200, orjson.dumps(value))
        except HttpProblem as problem:
            reply = Reply(problem.code, problem.body())
            if problem.code == 401:
                reply.headers["WWW-Authenticate"] = 'Basic realm="Ganeti Remote API"'
        reply.fault = fault
        return reply

    @staticmethod
    def _faulty(fault: Rule) -> Reply:
        code = int(fault.get("status", 500))
        if not fault.get("html"):
            return Reply(code, HttpProblem(code).body(), fault=fault)
        page = f"<html><head><title>{code}</title></head><body><h1>{code}</h1></body></html>"
        return Reply(code, page.encode(), {"Content-Type": "text/html"}, fault)

    def _control(self, method: str, headers: dict[str, str], body: bytes) -> Reply:
        try:
            self._authenticate(headers, {"write"})
            return Reply(200, orjson.dumps(control.handle(self, method, body)))
        except HttpProblem as problem:
            return Reply(problem.code, problem.body())

    # who
    def _authenticate(self, headers: dict[str, str], access: set[str]) -> None:
        scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "basic":
            raise HttpProblem(401)
        try:
            name, _, password = base64.b64decode(credentials).decode("ascii").partition(":")
        except ValueError:
            raise HttpProblem(401) from None
        user = self._users.get(name)
        if user is None or user.password != password:
            raise HttpProblem(401)
        rights = {"write"} if user.may_write else {"read"}
        if access and not access & rights:
            raise HttpProblem(403)

    # what
    async def _answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Any:
        if not headers.get("authorization"):
            raise HttpProblem(401)
        found = ((pattern.fullmatch(path), handlers) for pattern, handlers in self._routes)
        match, handlers = next((pair for pair in found if pair[0] is not None), (None, {}))
        if match is None:
            raise HttpProblem(404)
        handler = handlers.get(method)
        if handler is None:
            raise HttpProblem(501, f"Method {method} is unsupported for path {path}")
        call, access = handler
        self._authenticate(headers, access)
        request = Request(match.groups(), parse_qs(query), self._parse(headers, body))
        value = call(request)
        return await value if asyncio.iscoroutine(value) else value

    @staticmethod
    def _parse(headers: dict[str, str], body: bytes) -> Any:
        if not body:
            return None
        if headers.get("content-type", "").lower() != "application/json":
            raise HttpProblem(415)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise HttpProblem(400, "Unable to parse JSON data") from None

    def submit(self, opcodes: list[dict[str, Any]]) -> int:
        if self.queue_problem is not None:
            raise HttpProblem(503, self.queue_problem)
        return self.queue.submit(opcodes)

    def _submit_route(self, route: OpcodeRoute) -> Callable[[Request], int]:
        def call(request: Request) -> int:
            opcodes = route.opcodes(request)
            if opcodes is not None:
                return self.submit(opcodes)
            body, static = route.input(request)
            if isinstance(body, dict) and isinstance(request.body, dict) and request.body.get("depends"):
                body = {**body, "depends": request.body["depends"]}
            static = {"reason": request.reason(route.name, int(self.state.now() * 1e6) * 1000), **static}
            return self.submit([build_opcode(route.op_id, body, static=static, rename=route.rename)])

        return call

    def _build_routes(self) -> list[tuple[re.Pattern[str], dict[str, tuple[Callable[[Request], Any], set[str]]]]]:
        routes: dict[str, dict[str, tuple[Callable[[Request], Any], set[str]]]] = {}

        def get(path: str, call: Callable[[Request], Any], *, access: set[str] | None = None) -> None:
            routes.setdefault(path, {})["GET"] = (call, access or set())

        reads = control.Reads(self.state, self.queue)
        get("/", lambda _: None)
        get("/2", lambda _: None)
        get("/version", lambda _: 2)
        get("/2/info", lambda _: answers.info(self.state))
        get("/2/features", lambda _: answers.FEATURES)
        get("/2/os", lambda _: reads.operating_systems())
        get("/2/tags", lambda _: sorted(self.state.cluster["tags"]))
        for plural, kind in (
            ("nodes", "node"),
            ("groups", "group"),
            ("networks", "network"),
            ("instances", "instance"),
        ):
            get(f"/2/{plural}", reads.lister(plural, kind))
            get(f"/2/{plural}/{NAME}", reads.shower(kind))
            get(f"/2/{plural}/{NAME}/tags", reads.tagger(kind))
        get(f"/2/nodes/{NAME}/role", reads.node_role)
        get(f"/2/instances/{NAME}/console", reads.console, access={"read", "write"})
        get("/2/jobs", reads.jobs)
        get("/2/jobs/([0-9]+)", lambda request: self.queue.show(int(request.items[0])))
        get("/2/jobs/([0-9]+)/wait", reads.wait, access={"write"})
        routes["/2/jobs/([0-9]+)"]["DELETE"] = (lambda request: self.queue.cancel(int(request.items[0])), {"write"})
        for route in OPCODE_ROUTES:
            access = set() if route.method == "GET" else {"write"}
            routes.setdefault(route.path, {})[route.method] = (self._submit_route(route), access)
        return [(re.compile(path), handlers) for path, handlers in routes.items()]
