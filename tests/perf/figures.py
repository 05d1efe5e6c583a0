"""The figures: each measures one thing on a running cloud and gives rows for the table.

CPU is what the cloud's own processes spent per request; the load client's is not in it, the other parts' is named apart.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from argon2 import PasswordHasher

from synnefo_identity.settings import Settings as IdentitySettings
from tests.perf import load
from tests.perf.cloud import Cloud
from tests.perf.load import Load
from tests.perf.measure import calibration_ms, pss_mib

MIB = 1 << 20


@dataclass
class Figure:
    """One line of the table: `value` in `unit`, the goal, and what else was seen."""

    name: str
    value: float
    unit: str
    goal: str = ""
    seen: dict[str, float] = field(default_factory=dict)


Bench = Callable[[Cloud], Iterator[Figure]]
BENCHES: dict[str, Bench] = {}


def bench(function: Bench) -> Bench:
    BENCHES[function.__name__] = function
    return function


def _requests(cloud: Cloud, name: str, url: str, *, goal: str = "", warm: int = 20, **kwargs: Any) -> tuple[Figure, Load]:
    """CPU per request in ms, after some requests that do not count."""
    n, clients = kwargs.pop("n"), kwargs.pop("clients", 4)
    if warm:
        load.run(url, n=warm, clients=min(clients, warm), **{k: v for k, v in kwargs.items() if k != "tokens"})
    result, cost = cloud.cost(lambda: load.run(url, n=n, clients=clients, **kwargs))
    seen = {"req/s": result.rate, "p50 ms": result.p50, "p99 ms": result.p99}
    seen |= {f"{group} ms": s * 1000 / n for group, s in cost.items() if group not in ("cloud", "ganeti")}
    return Figure(name, cost["cloud"] * 1000 / n, "CPU ms", goal, seen), result


@bench
def idle(cloud: Cloud) -> Iterator[Figure]:
    """Memory and CPU of a cloud that nobody uses."""
    time.sleep(3)
    _, cost = cloud.cost(lambda: time.sleep(10))
    for name, pid in cloud.stack.processes().items():
        if pid:
            goal = {"cloud": "< 350", "ganeti": ""}.get(name, "< 100")
            yield Figure(f"idle memory, {name}", pss_mib([pid]), "MiB", goal)
    groups = cloud.groups()
    yield Figure("idle memory, all", sum(pss_mib(pids) for pids in groups.values()), "MiB", "", {g: pss_mib(p) for g, p in groups.items()})
    yield Figure("idle CPU", cost["cloud"] / 10 * 100, "% of a core", "", {f"{g} %": s / 10 * 100 for g, s in cost.items() if g != "cloud"})


@bench
def token(cloud: Cloud) -> Iterator[Figure]:
    """Validation by identity, with one hot token."""
    headers = {**cloud.headers, "X-Subject-Token": cloud.token}
    yield _requests(cloud, "token validation", cloud.stack.url("identity") + "/v3/auth/tokens", goal="<= 0.32", n=3000, headers=headers)[0]


@bench
def verification(cloud: Cloud) -> Iterator[Figure]:
    """What a token adds to a request of a service: a call with next to nothing behind it, against one without a token."""
    url = cloud.stack.url("compute")
    bare, _ = _requests(cloud, "request without a token", url + "/v2.1", n=3000)
    path = "/v2.1/extensions/os-volumes"
    known = {e["alias"] for e in cloud.call("compute", "GET", "/v2.1/extensions")["extensions"]}
    path = path if "os-volumes" in known else f"/v2.1/extensions/{min(known)}"
    warm, _ = _requests(cloud, "request with a warm token", url + path, n=3000, headers=cloud.headers)
    fresh = [cloud.log_in("demo", cloud.token)[0] for _ in range(600)]
    cold, _ = _requests(cloud, "request with a cold token", url + path, n=len(fresh), tokens=fresh, warm=0)
    yield bare
    yield warm
    yield Figure("local verification, warm", warm.value - bare.value, "CPU ms", "<= 0.1")
    yield Figure("local verification, cold", cold.value - bare.value, "CPU ms", "<= 0.3")


@bench
def login(cloud: Cloud) -> Iterator[Figure]:
    """A password login without the hash itself."""
    password = cloud.stack.passwords["demo"]
    who = {"name": "demo", "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}})
    headers = {"Content-Type": "application/json"}
    figure, _ = _requests(
        cloud, "password login", cloud.stack.url("identity") + "/v3/auth/tokens", n=100, method="POST", body=body, headers=headers, expect=201
    )
    costs = {name: f.default for name, f in IdentitySettings.model_fields.items() if name.startswith("hash_")}
    hasher = PasswordHasher(time_cost=costs["hash_time_cost"], memory_cost=costs["hash_memory_kib"], parallelism=1)
    stored = hasher.hash(password)
    started = time.process_time()
    for _ in range(50):
        hasher.verify(stored, password)
    hashing = (time.process_time() - started) * 1000 / 50
    figure.seen["hash ms"] = hashing
    yield figure
    yield Figure("password login without its hash", figure.value - hashing, "CPU ms", "<= 6")


@bench
def boots(cloud: Cloud) -> Iterator[Figure]:
    """Servers from POST to ACTIVE, in an empty cloud and in a full one."""
    template = cloud.boot("template")
    cloud.delete([cloud.boot() for _ in range(3)])
    empty = list(_boots(cloud, "0 servers"))
    cloud.clone_servers(5000, template)
    full = list(_boots(cloud, "5,000 servers"))
    yield from empty
    yield from full
    for few, many in zip(empty, full, strict=True):
        yield Figure(f"5,000 against 0: {few.name.partition(',')[0]}, {few.name.rpartition(', ')[2]}", many.value / few.value, "x", "<= 1.2")


def _boots(cloud: Cloud, where: str) -> Iterator[Figure]:
    for n, clients, how in ((15, 1, "one at a time"), (40, 10, "10 at once")):
        ids: list[str] = []
        times: list[float] = []
        begun = time.monotonic()

        def one_by_one(ids: list[str] = ids, times: list[float] = times, n: int = n) -> None:
            for _ in range(n):
                started = time.time()
                ids.append(cloud.call("compute", "POST", "/v2.1/servers", cloud.server_body())["server"]["id"])
                times.append(cloud.wait_active(ids[-1:])[0] - started)

        def at_once(ids: list[str] = ids, times: list[float] = times, n: int = n, clients: int = clients) -> None:
            result = load.run(
                cloud.stack.url("compute") + "/v2.1/servers", n=n, clients=clients, method="POST", expect=202, keep=True,
                body=json.dumps(cloud.server_body()), headers={**cloud.headers, "Content-Type": "application/json"},
            )  # fmt: skip
            ids += [json.loads(body)["server"]["id"] for body in result.bodies]
            times += [end - start for end, start in zip(cloud.wait_active(ids), result.begun, strict=True)]

        _, cost = cloud.cost(one_by_one if clients == 1 else at_once, settle_s=0.5)
        seconds = time.monotonic() - begun
        seen = {"to ACTIVE p50 s": statistics.median(times), "p95 s": sorted(times)[int(len(times) * 0.95)], "boots/min": n * 60 / seconds}
        seen |= {f"{group} s": s / n for group, s in cost.items() if group != "cloud"}
        yield Figure(f"boot, {where}, {how}", cost["cloud"] / n, "CPU s", "<= 0.1", seen)
        cloud.delete(ids)
        time.sleep(2)


@bench
def servers(cloud: Cloud) -> Iterator[Figure]:
    """Reading servers, 1,000 of them with a port each."""
    server = cloud.boot()
    cloud.clone_servers(1000, server)
    url = cloud.stack.url("compute") + "/v2.1/servers"
    one, _ = _requests(cloud, "GET one server", f"{url}/{server}", goal="<= 3.5", n=1000, headers=cloud.headers)
    many, answer = _requests(
        cloud, "GET 1,000 servers", f"{url}/detail?limit=1000", goal="<= 98", n=20, clients=2, warm=2, headers=cloud.headers, keep=True
    )
    found = json.loads(answer.bodies[0])["servers"]
    assert len(found) == 1000 and all(s["addresses"] for s in found), "a thousand servers with a port each"
    many.seen["MB"] = len(answer.bodies[0]) / 1e6
    yield one
    yield many


@bench
def ports(cloud: Cloud) -> Iterator[Figure]:
    """Reading 1,000 ports."""
    cloud.clone_ports(1000)
    url = cloud.stack.url("network") + "/v2.0/ports"
    figure, answer = _requests(cloud, "GET 1,000 ports", url, goal="<= 109", n=20, clients=2, warm=2, headers=cloud.headers, keep=True)
    assert len(json.loads(answer.bodies[0])["ports"]) >= 1000
    yield figure


@bench
def objects(cloud: Cloud) -> Iterator[Figure]:
    """Objects in and out; every body is new to the store."""
    url = f"{cloud.stack.url('object')}/v1/AUTH_{cloud.project_id}/bench"
    load.run(url, n=1, clients=1, method="PUT", expect=201, headers=cloud.headers)
    for name, size, n, clients, goals in (("64 MiB", 64 * MIB, 8, 1, (">= 250", ">= 1000")), ("1 KiB", 1024, 400, 4, ("", ""))):
        for method, expect, goal in (("PUT", 201, goals[0]), ("GET", 200, goals[1])):
            target = f"{url}/{size}-{{i}}" if method == "PUT" else f"{url}/{size}-0"
            body: dict[str, Any] = {"size": size} if method == "PUT" else {}
            figure, result = _requests(
                cloud, f"object {method} {name}", target, n=n, clients=clients, warm=1, method=method, expect=expect, headers=cloud.headers, **body
            )
            if size >= MIB:
                figure.seen["CPU ms"] = figure.value
                figure.value, figure.unit, figure.goal = size * result.rate / 1e6, "MB/s", goal
            yield figure


def calibration() -> Figure:
    return Figure("calibration loop", min(calibration_ms() for _ in range(3)), "ms", "38 quiet")
