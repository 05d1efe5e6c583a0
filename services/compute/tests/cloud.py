"""Compute alone with peers that answer as the real ones do. Shared by compute's tests."""

from __future__ import annotations

import base64
import lzma
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from synnefo_common.testing import Harness, PeerRequest
from synnefo_compute.main import build
from synnefo_compute.settings import Settings

IMAGE = "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"
NETWORK = "a0000000-0000-4000-8000-000000000001"

SUBNET = {
    "id": "s", "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True, "dns_nameservers": ["10.0.0.53"],
    "host_routes": [], "ipv6_address_mode": None,
}  # fmt: skip


class Peers:
    """Network, volume, image and dispatcher as far as compute asks them; they remember what they gave."""

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.ports: dict[str, list[dict[str, Any]]] = {}
        self.volumes: dict[str, list[dict[str, Any]]] = {}
        self.images: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}  # of volumes
        self.given: dict[str, Any] = {}  # by idempotency key
        self.new_ports = 1
        network, volume = h.peers["network"], h.peers["volume"]
        network.on("POST", "/internal/v1/servers/check", lambda _r: {"new_ports": self.new_ports})
        network.on("PUT", "/internal/v1/servers/{id}/ports", self.put_ports)
        network.on("POST", "/internal/v1/servers/{id}/ports", self.add_port)
        network.on("DELETE", "/internal/v1/servers/{id}/ports", self.drop_ports)
        network.on("DELETE", "/internal/v1/servers/{id}/ports/{port}", self.drop_port)
        network.on("GET", "/internal/v1/servers/{id}/ports", lambda r: {"ports": self.ports.get(r.match["id"], [])})
        network.on("PUT", "/internal/v1/servers/{id}/security-groups", self.change_groups)
        volume.on("POST", "/internal/v1/servers/check", lambda r: {"sizes_gib": [v["size_gib"] or 7 for v in r.json["volumes"]]})
        volume.on("PUT", "/internal/v1/servers/{id}/volumes", self.put_volumes)
        volume.on("POST", "/internal/v1/servers/{id}/volumes/{volume}", self.attach)
        volume.on("DELETE", "/internal/v1/servers/{id}/volumes/{volume}", self.detach)
        volume.on("GET", "/internal/v1/servers/{id}/volumes", lambda r: {"volumes": self.volumes.get(r.match["id"], [])})
        volume.on("PUT", "/internal/v1/servers/{id}/volumes/root/size", self.grow_root)
        volume.on("PUT", "/internal/v1/servers/{id}/volumes/{volume}/content", self.put_content)
        network.on("GET", "/internal/v1/servers/{id}/subnets", lambda _r: {"subnets": [SUBNET]})
        volume.on("DELETE", "/internal/v1/servers/{id}/volumes", self.drop_volumes)
        volume.on("POST", "/internal/v1/volumes/{id}/freeze", {"root": "cm9vdA==", "size_bytes": 1 << 30, "digest": "00"})
        image = {"id": IMAGE, "status": "active", "size": 1 << 20, "virtual_size": None, "min_disk": 0, "min_ram": 0, "properties": {}}
        h.peers["image"].on("GET", "/internal/v1/images/{id}", image)
        h.peers["image"].on("POST", "/internal/v1/images", self.create_image)
        h.peers["dispatcher"].on("GET", "/internal/v1/instances", {"instances": [], "unreachable": ["alpha", "beta"]})

    def port(self, server_id: str, number: int = 1) -> dict[str, Any]:
        return {
            "id": self.h.ids.uuid(), "network_id": NETWORK, "network_name": "net", "mac_address": f"aa:00:00:00:00:{number:02x}",
            "fixed_ips": [{"ip_address": f"10.0.0.{number + 1}", "subnet_id": "s", "version": 4}], "floating_ips": [],
            "security_groups": [{"id": "g", "name": "default"}], "preserve_on_delete": False, "status": "ACTIVE", "mtu": 1450,
        }  # fmt: skip

    def put_ports(self, r: PeerRequest) -> Any:
        made = self.ports.setdefault(r.match["id"], [self.port(r.match["id"])])
        return {"ports": made}

    def add_port(self, r: PeerRequest) -> Any:
        key = r.headers["Idempotency-Key"]
        if key not in self.given:
            self.given[key] = self.port(r.match["id"], 9)
            self.ports.setdefault(r.match["id"], []).append(self.given[key])
        return {"ports": [self.given[key]]}

    def drop_port(self, r: PeerRequest) -> Any:
        had = self.ports.get(r.match["id"], [])
        self.ports[r.match["id"]] = [p for p in had if p["id"] != r.match["port"]]
        return {"deleted": [p["id"] for p in had if p["id"] == r.match["port"]], "unbound": []}

    def drop_ports(self, r: PeerRequest) -> Any:
        gone = self.ports.pop(r.match["id"], [])
        return {"deleted": [p["id"] for p in gone], "unbound": []}

    def change_groups(self, r: PeerRequest) -> Any:
        for port in self.ports[r.match["id"]]:
            groups = [g for g in port["security_groups"] if g["name"] != r.json["security_group"]]
            port["security_groups"] = groups + ([{"id": "g", "name": r.json["security_group"]}] if r.json["is_member"] else [])
        return {"ports": self.ports[r.match["id"]]}

    def put_volumes(self, r: PeerRequest) -> Any:
        made = self.volumes.setdefault(
            r.match["id"],
            [{k: v[k] for k in ("size_gib", "boot_index", "visible", "name")} | {"id": self.h.ids.uuid()} for v in r.json["volumes"]],
        )
        return {"volumes": made}

    def put_content(self, r: PeerRequest) -> Any:
        self.contents[r.match["volume"]] = lzma.decompress(base64.b64decode(r.json["xz"]))
        return 204, None

    def detach(self, r: PeerRequest) -> Any:
        had = self.volumes.get(r.match["id"], [])
        self.volumes[r.match["id"]] = [v for v in had if v["id"] != r.match["volume"]]
        return {}

    def grow_root(self, r: PeerRequest) -> Any:
        root = next(v for v in self.volumes[r.match["id"]] if v["boot_index"] == 0)
        root["size_gib"] = max(root["size_gib"], r.json["size_gib"])
        return root

    def attach(self, r: PeerRequest) -> Any:
        """As the volume service does: one attachment of a volume, wherever."""
        for server_id, volumes in self.volumes.items():
            for found in volumes:
                if found["id"] == r.match["volume"]:
                    if server_id == r.match["id"] and r.headers["Idempotency-Key"] == found.get("key"):
                        return found
                    error = {"code": 409, "kind": "Conflict", "fault": "volume.in_use", "message": "volume is in use", "details": {}}
                    return 409, {"error": error}
        made = self._volume(r) | {"key": r.headers["Idempotency-Key"]}
        self.volumes.setdefault(r.match["id"], []).append(made)
        return made

    def _volume(self, r: PeerRequest) -> dict[str, Any]:
        return {"id": r.match["volume"], "size_gib": 2, "boot_index": None, "visible": True, "device_name": "/dev/vdb"}

    def drop_volumes(self, r: PeerRequest) -> Any:
        self.volumes.pop(r.match["id"], None)
        return {}

    def create_image(self, r: PeerRequest) -> Any:
        self.images.append(r.json)
        return 201, {"id": IMAGE}


class ComputeHarness(Harness):
    """`Harness` with peers, a flavor and a cluster."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(build, Settings, **kwargs)
        self.world = Peers(self)
        self._answered: set[str] = set()

    async def report(self, cluster: str = "alpha", **changes: Any) -> None:
        """A capacity report."""
        data = {
            "cluster": cluster, "online": True, "drained": False, "zone": "nova", "hypervisors": ["fake"], "disk_templates": ["ext"], "nodes": 1,
            "mem_total_mib": 16384, "mem_free_mib": 16000, "disk_total_gib": 1000, "disk_free_gib": 900, "cpu_total": 4, "cpu_used": 0,
            "instances": 0, "reported_at": self.clock.now_us(),
        }  # fmt: skip
        await self.deliver("ganeti.cluster.reported", data | changes)

    def jobs(self, verb: str | None = None) -> list[dict[str, Any]]:
        """Jobs asked for so far."""
        return [e.data for e in self.events if e.type == "ganeti.job.requested" and (verb is None or e.data["verb"] == f"instance.{verb}")]

    async def ganeti_does(self, *, fail: str | None = None) -> int:
        """Answer every job that was not answered yet; how many."""
        await self.settle()
        done = 0
        for job in self.jobs():
            if job["job_token"] in self._answered:
                continue
            self._answered.add(job["job_token"])
            done += 1
            base = {k: job[k] for k in ("job_token", "server_id", "cluster", "verb")} | {"ganeti_job_id": len(self._answered), "node": "node1"}
            if fail:
                await self.deliver("ganeti.job.failed", base | {"error": {"type": "OpExecError", "message": fail, "code": None}})
            else:
                await self.deliver("ganeti.job.succeeded", base | {"error": None})
        await self.settle()
        return done

    async def ganeti_does_all(self) -> None:
        """Answer until nothing is asked any more."""
        while await self.ganeti_does():
            pass

    async def flavor(self, name: str = "m1.nano", *, id: str = "1", ram: int = 128, vcpus: int = 1, disk: int = 1) -> str:  # noqa: A002
        body = {"flavor": {"name": name, "id": id, "ram": ram, "vcpus": vcpus, "disk": disk}}
        answer = await self.as_admin().post("/v2.1/flavors", json=body)
        assert answer.status_code == 200, answer.text
        return id

    async def server(self, *, built: bool = True, **changes: Any) -> str:
        """A new server; its id."""
        body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]} | changes
        answer = await self.as_member().post("/v2.1/servers", json={"server": body})
        assert answer.status_code == 202, answer.text
        if built:
            await self.ganeti_does()
        return str(answer.json()["server"]["id"])

    async def show(self, server_id: str) -> dict[str, Any]:
        answer = await self.as_member().get(f"/v2.1/servers/{server_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["server"])

    async def act(self, server_id: str, body: dict[str, Any]) -> int:
        answer = await self.as_member().post(f"/v2.1/servers/{server_id}/action", json=body)
        return answer.status_code


@asynccontextmanager
async def running_compute(**kwargs: Any) -> AsyncIterator[ComputeHarness]:
    """A compute service with one flavor and one cluster."""
    async with ComputeHarness(**kwargs) as h:
        await h.flavor()
        await h.report()
        yield h
