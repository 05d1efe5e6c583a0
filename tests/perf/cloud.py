"""A cloud to measure: a stack with a user logged in, its processes in groups, and rows cloned into its databases."""

from __future__ import annotations

import json
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, create_engine, func, insert, select

from synnefo_common.ids import RandomIds
from synnefo_compute.db.projections import server_ports
from synnefo_compute.db.servers import servers
from synnefo_local.infra import infra_pids
from synnefo_network.db.ports import ip_allocations, port_security_groups, ports
from tests.perf.measure import groups_cpu_s
from tests.stack import Stack

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_DAY_US = 86_400_000_000
_BATCH = 500


class Cloud:
    """The stack and what the figures need of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ids = RandomIds()
        self.token, self.project_id = self.log_in("demo")
        self.admin_token, _ = self.log_in("admin")
        self.headers = {"X-Auth-Token": self.token}
        self._engines: dict[str, Engine] = {}
        self._lift_limits()
        network = self.call("network", "POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.64.0.0/16"}
        self.network_id: str = network
        self.subnet_id: str = self.call("network", "POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]
        self.image_id: str = self.call("image", "GET", "/v2/images?name=tiny")["images"][0]["id"]

    # over HTTP

    def log_in(self, user: str, token: str | None = None) -> tuple[str, str]:
        """Token and project id; with a token its holder's next one (no password is hashed)."""
        identity: dict[str, Any]
        if token is None:
            who = {"name": user, "domain": {"id": "default"}, "password": self.stack.passwords[user]}
            identity = {"methods": ["password"], "password": {"user": who}}
        else:
            identity = {"methods": ["token"], "token": {"id": token}}
        scope = {"project": {"name": user, "domain": {"id": "default"}}}
        headers, answer = self.send("identity", "POST", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}, token="")
        return headers["X-Subject-Token"], answer["token"]["project"]["id"]

    def call(self, service: str, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        return self.send(service, method, path, body, token=self.token if token is None else token)[1]

    def send(self, service: str, method: str, path: str, body: Any, *, token: str) -> tuple[Any, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
        request = urllib.request.Request(self.stack.url(service) + path, data, headers, method=method)
        try:
            with _DIRECT.open(request, timeout=60) as answer:
                text = answer.read()
                return answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {service}{path}: {error.code} {error.read(2000)!r}") from error

    def _lift_limits(self) -> None:
        limits = {"instances": -1, "cores": -1, "ram": -1}
        self.call("compute", "PUT", f"/v2.1/os-quota-sets/{self.project_id}", {"quota_set": limits}, token=self.admin_token)
        self.call("network", "PUT", f"/v2.0/quotas/{self.project_id}", {"quota": {"port": -1}}, token=self.admin_token)

    # processes

    def groups(self) -> dict[str, list[int]]:
        """Pids by whose they are: `cloud` is ours; the fake Ganeti stands for a part that is not."""
        ours = self.stack.processes()
        ganeti = ours.pop("ganeti", None)
        groups = {"cloud": [pid for pid in ours.values() if pid], "ganeti": [ganeti] if ganeti else []}
        if self.stack.profile == "full":
            for name, (pid, _) in infra_pids(self.stack.layout).items():
                groups.setdefault(name.partition("-")[0], []).extend([pid] if pid else [])
        return groups

    def cost(self, work: Callable[[], Any], *, settle_s: float = 0.0) -> tuple[Any, dict[str, float]]:
        """What `work` gives and the CPU seconds that each group spent meanwhile."""
        groups = self.groups()
        before = groups_cpu_s(groups)
        result = work()
        time.sleep(settle_s)
        after = groups_cpu_s(groups)
        return result, {name: after[name] - before[name] for name in groups}

    # rows

    def engine(self, service: str) -> Engine:
        if service not in self._engines:
            url = ""
            for path in sorted(Path(self.stack.layout.etc).glob("*.toml")):
                url = tomllib.loads(path.read_text()).get(service, {}).get("database_url", url)
            self._engines[service] = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        return self._engines[service]

    def boot(self, name: str = "bench") -> str:
        """A server, ACTIVE; its id."""
        server_id: str = self.call("compute", "POST", "/v2.1/servers", self.server_body(name))["server"]["id"]
        self.wait_active([server_id])
        return server_id

    def server_body(self, name: str = "bench") -> dict[str, Any]:
        return {"server": {"name": name, "flavorRef": "1", "imageRef": self.image_id, "networks": [{"uuid": self.network_id}]}}

    def wait_active(self, ids: Sequence[str], timeout_s: float = 300.0) -> list[float]:
        """When each became ACTIVE, seconds since the epoch: from the database, so that waiting costs the cloud nothing."""
        return [launched for _, launched in self._wait(ids, {"active"}, timeout_s)]

    def _wait(self, ids: Sequence[str], states: set[str], timeout_s: float) -> list[tuple[str, float]]:
        deadline = time.monotonic() + timeout_s
        query = select(servers.c.id, servers.c.vm_state, servers.c.launched_at, servers.c.fault).where(servers.c.id.in_(ids))
        while True:
            with self.engine("compute").connect() as connection:
                rows = {row.id: row for row in connection.execute(query)}
            if any(row.vm_state == "error" for row in rows.values()):
                raise RuntimeError(f"a server failed: {[row.fault for row in rows.values() if row.fault]}")
            if all(rows[i].vm_state in states for i in ids):
                return [(i, (rows[i].launched_at or 0) / 1e6) for i in ids]
            if time.monotonic() > deadline:
                raise RuntimeError(f"not {states} in time: {[(i, r.vm_state) for i, r in rows.items() if r.vm_state not in states][:5]}")
            time.sleep(0.02)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete servers and wait until they are gone."""
        for server_id in ids:
            self.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
        self._wait(ids, {"deleted"}, 300.0)

    def clone_servers(self, count: int, template: str) -> None:
        """Rows like the template's, with a port each, until the project has `count` servers."""
        with self.engine("compute").begin() as connection:
            base = dict(connection.execute(select(servers).where(servers.c.id == template)).one()._mapping)
            port = dict(connection.execute(select(server_ports).where(server_ports.c.server_id == template)).one()._mapping)
            live = select(func.count()).where(servers.c.project_id == self.project_id, servers.c.deleted_at.is_(None))
            there = connection.execute(live).scalar_one()
            rows, nics = [], []
            # Launched in the future: compute's reconciler looks for the instances of servers that are older than its patience.
            base |= {"launched_at": base["launched_at"] + 1000 * _DAY_US, "saga_id": None, "job_token": None}
            for i in range(count - there):
                server_id, port_id = self.ids.uuid(), self.ids.uuid()
                rows.append({**base, "id": server_id, "name": f"clone-{i}", "created_at": base["created_at"] - i})
                nics.append({**port, "id": port_id, "server_id": server_id, "data": {**port["data"], "id": port_id}})
            _insert(connection, servers, rows)
            _insert(connection, server_ports, nics)
        self._analyze("compute")

    def clone_ports(self, count: int) -> None:
        """Ports like one of the network's, with an address and a group each, until the project has `count`."""
        made = self.call("network", "POST", "/v2.0/ports", {"port": {"network_id": self.network_id, "name": "clone"}})["port"]
        with self.engine("network").begin() as connection:
            base = dict(connection.execute(select(ports).where(ports.c.id == made["id"])).one()._mapping)
            there = connection.execute(select(func.count()).where(ports.c.project_id == self.project_id)).scalar_one()
            rows, held, groups = [], [], []
            for i in range(count - there):
                port_id = self.ids.uuid()
                mac = f"fa:16:3f:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x}"
                rows.append({**base, "id": port_id, "mac_address": mac, "name": f"clone-{i}"})
                held.append({"subnet_id": self.subnet_id, "ip_address": f"10.64.{128 + (i >> 8)}.{i & 255}", "port_id": port_id})
                groups += [{"port_id": port_id, "security_group_id": g} for g in made["security_groups"]]
            for table, values in ((ports, rows), (ip_allocations, held), (port_security_groups, groups)):
                _insert(connection, table, values)
        self._analyze("network")

    def _analyze(self, service: str) -> None:
        if self.stack.profile == "full":  # as autovacuum would, some time later
            with self.engine(service).connect() as connection:
                connection.exec_driver_sql("ANALYZE")

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()


def _insert(connection: Any, table: Table, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _BATCH):
        connection.execute(insert(table), rows[start : start + _BATCH])
