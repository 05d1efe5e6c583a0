"""Users of a cloud that runs in processes of its own (`tests.stack`), speaking HTTP to it. An outage is no error here."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import httpx

from synnefo_local.layout import CLUSTERS
from tests.stack import Stack

PAUSE_S = 0.2


class Person:
    """`with Person(stack, "demo") as demo: demo.json("compute", "GET", "/v2.1/servers")`. User and project share the name."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.name = stack, name
        self.project_id = ""
        self._token = ""
        self._client = httpx.Client(timeout=30, trust_env=False)

    def __enter__(self) -> "Person":
        self.log_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def log_in(self) -> None:
        user = {"name": self.name, "domain": {"id": "default"}, "password": self.stack.passwords[self.name]}
        scope = {"project": {"name": self.name, "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self._client.post(self.stack.url("identity") + "/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        self._token, self.project_id = answer.headers["x-subject-token"], answer.json()["token"]["project"]["id"]

    def call(self, service: str, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """The answer, whatever it says; None when nobody answered."""
        try:
            return self._client.request(
                method, self.stack.url(service) + path, json=body, headers={"X-Auth-Token": self._token}
            )
        except httpx.TransportError:
            return None

    def json(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """What a call that must succeed answers."""
        answer = self.call(service, method, path, body)
        assert answer is not None, f"{service} does not answer"
        assert answer.status_code < 300, f"{method} {service}{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # the little that the tests do

    def make_network(self, cidr: str = "10.7.0.0/24") -> str:
        network = self.json("network", "POST", "/v2.0/networks", {"network": {"name": "net"}})["network"]["id"]
        self.json("network", "POST", "/v2.0/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}})
        return str(network)

    def image(self) -> str:
        """The seeded one."""
        return str(self.json("image", "GET", "/v2/images?name=tiny")["images"][0]["id"])

    def boot(self, name: str, image: str, network: str) -> httpx.Response | None:
        body = {"name": name, "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}
        return self.call("compute", "POST", "/v2.1/servers", {"server": body})

    def servers(self) -> dict[str, dict[str, Any]]:
        """By id."""
        found = self.json("compute", "GET", "/v2.1/servers/detail")["servers"]
        return {server["id"]: server for server in found}

    def delete_all_servers(self) -> None:
        for server_id in self.servers():
            answer = self.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
            assert answer is not None and answer.status_code in (204, 404), answer
        wait_for(lambda: not self.servers(), 90, "no server is left")

    def usage(self) -> dict[str, int]:
        """What the ledger has in use or pending for this person's project; for an administrator to ask."""
        holdings = self.json("identity", "GET", "/admin/v1/audit")["holdings"]
        return {
            f"{row['project_id']} {row['resource']}": row["used"] + row["pending"]
            for row in holdings
            if row["used"] + row["pending"]
        }


def wait_for(predicate: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(PAUSE_S)
    return value


def fake_instances(stack: Stack) -> list[str]:
    """Names of the instances that the fake Ganeti has, on all clusters."""
    return sorted(path.stem for name in CLUSTERS for path in (stack.layout.ganeti / name / "state/instances").glob("*.json"))


def assert_soon_clean(stack: Stack, timeout_s: float = 60) -> None:
    """The audit finds nothing, now or when what is under way has ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            stack.assert_invariants()
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
