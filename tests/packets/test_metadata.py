"""A guest asks 169.254.169.254 and reads what its own server was made with: through OVN, the node's proxy, and compute."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from services.compute.tests.cloud import IMAGE, NETWORK, ComputeHarness, running_compute

from tests.packets.conftest import Cloud
from tests.packets.lab import Guest, Lab, Space, eventually

PROXY = Path(__file__).parents[2] / "deploy/ganeti/network/ovn-metadata-proxy"
SECRET = "shared with the nodes"
META = "http://169.254.169.254/openstack/latest/meta_data.json"
_ASK = """
import sys, urllib.error, urllib.request
url, body, *headers = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None, dict(h.split("=", 1) for h in headers))
try:
    answer = urllib.request.urlopen(request, timeout=2)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    sys.exit("000")
sys.stdout.write(f"{answer.status} {answer.read().decode()}")
"""


async def ask(space: Space, url: str = META, body: str = "", **headers: str) -> tuple[int, str]:
    """Status (0: no answer) and body."""
    argv = [f"{name.replace('_', '-')}={value}" for name, value in headers.items()]
    said = (await space.run("/usr/bin/python3", "-c", _ASK, url, body, *argv)).stdout
    status, _, text = said.partition(" ")
    return int(status or 0), text


async def uuid_seen(guest: Guest) -> str:
    """Its server's id, as the guest reads it. The proxy comes to a network after its first guest: the guest tries again."""
    found: dict[str, Any] = {}

    async def answers() -> bool:
        status, text = await ask(guest)
        found.update(json.loads(text) if status == 200 else {})
        return status == 200

    await eventually(answers, what=f"{guest.name} reads its metadata", timeout_s=20)
    return str(found["uuid"])


def _listen_in(namespace: str) -> socket.socket:
    """A listening socket at 127.0.0.1:8775 of a node."""
    made: list[socket.socket] = []

    def enter() -> None:
        with Path(f"/run/netns/{namespace}").open() as place:
            assert ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0x40000000) == 0
        listener = socket.create_server(("127.0.0.1", 8775))
        listener.setblocking(False)
        made.append(listener)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return made[0]


def _start_proxy(lab: Lab, node: int, secret: Path) -> subprocess.Popen[bytes]:
    tag, place = lab.facts["OVN_OUTSIDE"].removesuffix("-ext"), lab.directory / f"ch{node}"
    argv = ["ip", "netns", "exec", f"{tag}-ch{node}", "/usr/bin/python3", str(PROXY), "--url", "http://127.0.0.1:8775"]
    env = {**os.environ, "OVS_RUNDIR": str(place), "SYNNEFO_METADATA_SECRET_FILE": str(secret)}
    with (lab.directory.parent / f"metadata-proxy-{node}.log").open("w") as said:
        return subprocess.Popen([*argv, "--prefix", f"{tag}m{node}-"], env=env, stdin=subprocess.DEVNULL, stderr=said)


@dataclass
class Nodes:
    """A compute service, and the proxies of the nodes that reach it."""

    compute: ComputeHarness
    proxies: dict[int, subprocess.Popen[bytes]]


@pytest.fixture
async def nodes(cloud: Cloud, tmp_path: Path) -> AsyncIterator[Nodes]:
    """A compute service that two nodes' proxies reach."""
    lab = cloud.lab
    tag = lab.facts["OVN_OUTSIDE"].removesuffix("-ext")
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    async with running_compute(overrides={"metadata_secret": SECRET}) as harness:
        ((_host, _port, app),) = harness.service.extra_apps
        sockets = [_listen_in(f"{tag}-ch{node}") for node in (1, 2)]
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server._serve(sockets))  # `serve` would take the signals of this process
        nodes = Nodes(harness, {node: await asyncio.to_thread(_start_proxy, lab, node, secret) for node in (1, 2)})
        yield nodes
        for proxy in nodes.proxies.values():
            proxy.send_signal(signal.SIGTERM)
            await asyncio.to_thread(proxy.wait, 30)
        server.should_exit = True
        await serving


async def make_server(compute: ComputeHarness, name: str, *, is_others: bool = False) -> str:
    body = {"server": {"name": name, "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}}
    answer = await (compute.as_project() if is_others else compute.as_member()).post("/v2.1/servers", json=body)
    assert answer.status_code == 202, answer.text
    await compute.ganeti_does()
    return str(answer.json()["server"]["id"])


async def test_each_guest_reads_its_own_metadata(cloud: Cloud, nodes: Nodes, tmp_path: Path) -> None:
    compute = nodes.compute
    ours, neighbour = await make_server(compute, "ours"), await make_server(compute, "neighbour")
    theirs = await make_server(compute, "theirs", is_others=True)
    network = await cloud.make_network("10.5.0.0/24")
    here = await cloud.make_guest(network, device_id=ours, fixed_ips=[{"ip_address": "10.5.0.9"}])
    far = await cloud.make_guest(network, node=2, device_id=neighbour)
    other = cloud.as_project()
    same_range = await cloud.make_network("10.5.0.0/24", by=other)
    there = await cloud.make_guest(same_range, by=other, device_id=theirs, fixed_ips=[{"ip_address": "10.5.0.9"}])
    assert here.address == there.address == "10.5.0.9"
    assert await uuid_seen(here) == ours
    assert await uuid_seen(there) == theirs
    assert await uuid_seen(far) == neighbour
    # Whoever says to be another is still itself.
    status, text = await ask(here, X_Instance_ID=theirs, X_Tenant_ID=cloud.other_project_id, X_Forwarded_For="10.5.0.99")
    assert (status, json.loads(text)["uuid"]) == (200, ours)
    # With another's address nothing comes in: the port may not send from it.
    await here.run("ip", "address", "add", f"{far.address}/32", "dev", "eth0")
    await here.run("ip", "route", "replace", "169.254.169.254/32", "dev", "eth0", "src", far.address)
    assert (await ask(here))[0] == 0
    await here.run("ip", "route", "replace", "169.254.169.254/32", "dev", "eth0", "src", here.address)
    assert await uuid_seen(here) == ours
    # The password goes the other way.
    assert await ask(there, "http://169.254.169.254/openstack/latest/password", "ZW5jcnlwdGVk") == (200, "")
    shown = await compute.as_project().get(f"/v2.1/servers/{theirs}/os-server-password")
    assert shown.json() == {"password": "ZW5jcnlwdGVk"}
    # Past the proxy nobody reaches compute.
    assert (await ask(here, "http://127.0.0.1:8775/latest"))[0] == 0
    # A server that is gone has nothing to read, and a network without guests here is not served.
    await compute.as_member().delete(f"/v2.1/servers/{neighbour}")
    await compute.ganeti_does_all()
    assert (await ask(far))[0] == 404
    await cloud.lab.detach(far)

    async def is_left() -> bool:
        return "synnefo-metadata" not in (await cloud.lab.on_node(2, "ovs-vsctl", "list", "Interface")).stdout

    await eventually(is_left, what="node 2 leaves the network")
    # Killed, it leaves its namespaces behind, and begins anew.
    proxy = nodes.proxies[1]
    proxy.kill()
    await asyncio.to_thread(proxy.wait)
    assert (await ask(here))[0] == 0
    nodes.proxies[1] = await asyncio.to_thread(_start_proxy, cloud.lab, 1, tmp_path / "secret")
    assert await uuid_seen(here) == ours
