"""A network service on a private OVN; what it makes is proved with packets. Skipped, with the reason, where no OVN can run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from synnefo_common.testing import Harness
from synnefo_network.app.projection import Projection
from synnefo_network.main import build
from synnefo_network.settings import Settings
from tests.packets.lab import Guest, Lab, eventually, why_not


class Cloud(Harness):
    """The harness with the lab, and factories which assert that the create succeeded."""

    lab: Lab

    async def make(self, collection: str, key: str, *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        answer = await (by or self.as_member()).post(f"/v2.0/{collection}", json={key: body})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()[key]
        return made

    async def put(self, path: str, body: Any, *, by: httpx.AsyncClient | None = None) -> dict[str, Any]:
        answer = await (by or self.as_member()).put(f"/v2.0/{path}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str, *, by: httpx.AsyncClient | None = None) -> dict[str, Any]:
        answer = await (by or self.as_admin()).get(f"/v2.0/{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def delete(self, path: str, *, by: httpx.AsyncClient | None = None) -> None:
        answer = await (by or self.as_member()).delete(f"/v2.0/{path}")
        assert answer.status_code == 204, answer.text

    async def make_network(self, *cidrs: str, by: httpx.AsyncClient | None = None, name: str = "n", **subnet: Any) -> dict[str, Any]:
        """A network with a subnet for each range."""
        network = await self.make("networks", "network", by=by, name=name)
        network["subnet"] = [await self.make_subnet(network, cidr, by=by, **subnet) for cidr in cidrs]
        return network

    async def make_subnet(self, network: dict[str, Any], cidr: str, *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        return await self.make("subnets", "subnet", by=by, network_id=network["id"], cidr=cidr, ip_version=6 if ":" in cidr else 4, **body)

    async def make_public(self) -> dict[str, Any]:
        """The external network, at whose other end the outside is."""
        admin = self.as_admin()
        provider = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
        network = await self.make("networks", "network", by=admin, name="public", **{"router:external": True}, **provider)
        network["subnet"] = [await self.make_subnet(network, "198.51.100.0/24", by=admin, enable_dhcp=False)]
        return network

    async def make_router(
        self, *networks: dict[str, Any], public: dict[str, Any] | None = None, by: httpx.AsyncClient | None = None
    ) -> dict[str, Any]:
        """A router with an interface on every subnet of the networks."""
        gateway = {"external_gateway_info": {"network_id": public["id"]}} if public else {}
        router = await self.make("routers", "router", by=by, name="r", **gateway)
        for network in networks:
            for subnet in network["subnet"]:
                await self.put(f"routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}, by=by)
        return router

    async def make_port(self, network: dict[str, Any], *, by: httpx.AsyncClient | None = None, **body: Any) -> dict[str, Any]:
        return await self.make("ports", "port", by=by, network_id=network["id"], **body)

    async def make_open_group(self, *, by: httpx.AsyncClient | None = None, **body: Any) -> str:
        """A security group that lets everything in; its id."""
        group = await self.make("security-groups", "security_group", by=by, name="open", **body)
        for ethertype in ("IPv4", "IPv6"):
            await self.make_rule(group["id"], by=by, ethertype=ethertype)
        return str(group["id"])

    async def make_rule(self, group_id: str, *, by: httpx.AsyncClient | None = None, **rule: Any) -> dict[str, Any]:
        rule = {"direction": "ingress", "ethertype": "IPv4", **rule}
        return await self.make("security-group-rules", "security_group_rule", by=by, security_group_id=group_id, **rule)

    async def make_guest(
        self, network: dict[str, Any], *, node: int = 1, by: httpx.AsyncClient | None = None, has_dhcp: bool = True, **body: Any
    ) -> Guest:
        """A port with a guest behind it, which has its address by DHCP."""
        port = await self.make_port(network, by=by, **body)
        guest = await self.lab.attach(port, node=node)
        await self.is_active(port, timeout_s=60)
        if has_dhcp:
            await guest.dhcp()
        return guest

    async def is_active(self, port: dict[str, Any], *, status: str = "ACTIVE", timeout_s: float = 10) -> float:
        """Seconds until the API says so."""

        async def says() -> bool:
            return bool((await self.get(f"ports/{port['id']}"))["port"]["status"] == status)

        return await eventually(says, what=f"port {port['id']} is {status}", timeout_s=timeout_s)

    async def settled(self) -> None:
        """All that was accepted until now is in the flows of all nodes."""
        projection = projection_of(self)
        await eventually(projection.is_even, what="the data plane has all changes")
        self.lab.nb("--wait=hv", "sync")


def projection_of(cloud: Harness) -> Projection:
    """What brings the data plane after the service's database."""
    owners = (getattr(task, "__self__", None) for task in cloud.service.work_tasks)
    return next(owner for owner in owners if isinstance(owner, Projection))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    reason = why_not()
    if reason is not None:
        if os.environ.get("SYNNEFO_NEEDS_OVN"):
            pytest.fail(f"SYNNEFO_NEEDS_OVN is set, and {reason}")
        pytest.skip(f"no packets here: {reason}")
    lab = Lab(tmp_path_factory.mktemp("ovn") / "state")
    yield lab
    lab.down()


@pytest.fixture
async def cloud(lab: Lab) -> AsyncIterator[Cloud]:
    lab.up()
    async with Cloud(build, Settings, lab.settings()) as harness:
        harness.lab = lab
        yield harness
        lab.clear()
