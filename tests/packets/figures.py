"""Figures of the data plane:  python -m tests.packets.figures [PORTS [NETWORKS]]

From the API's answer to the flows on the node, for a port whose guest waits; a full comparison of many ports; memory.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from synnefo_network.main import build
from synnefo_network.settings import Settings
from tests.packets.conftest import Cloud, projection_of
from tests.packets.lab import Lab, eventually, why_not

SAMPLES = 40


def _rss_mib(pid: int | str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered) * 1e3:.0f} ms, p99 {ordered[max(0, -(-99 * len(ordered) // 100) - 1)] * 1e3:.0f} ms (n={len(ordered)})"


async def _accept_to_flows(cloud: Cloud, *, samples: int) -> None:
    """A rule's way into the flows of all nodes, and a port's way to ACTIVE when it is plugged first."""
    network = await cloud.make_network("10.5.0.0/16")
    group = (await cloud.make("security-groups", "security_group", name="g"))["id"]
    guest = await cloud.make_guest(network, security_groups=[group])
    assert guest
    rows, flows, plugs = [], [], []
    for number in range(samples):
        rule = await cloud.make_rule(group, protocol="tcp", port_range_min=1000 + number, port_range_max=1000 + number)
        accepted = time.monotonic()
        await eventually(projection_of(cloud).is_even, what="written", timeout_s=60)
        rows.append(time.monotonic() - accepted)

        async def installed(wanted: str = f"tp_dst={1000 + number}") -> bool:
            return wanted in (await cloud.lab.on_node(1, "ovs-ofctl", "dump-flows", "br-int")).stdout

        await eventually(installed, what="flows", timeout_s=60)
        flows.append(time.monotonic() - accepted)
        await cloud.delete(f"security-group-rules/{rule['id']}")
    for _ in range(samples // 2):
        port = await cloud.make_port(network, security_groups=[group])
        await cloud.lab.attach(port)
        began = time.monotonic()
        await cloud.is_active(port, timeout_s=60)
        plugs.append(time.monotonic() - began)
    print(f"rule: accepted until written to the northbound database  {_spread(rows)}")
    print(f"rule: accepted until in the flows of a node              {_spread(flows)} (asked every 50 ms)")
    print(f"port: plugged until ACTIVE in the API                    {_spread(plugs)} (asked every 50 ms)", flush=True)
    cloud.lab.clear()


async def _fill(cloud: Cloud, *, ports: int, networks: int) -> None:
    each = ports // networks
    for number in range(networks):
        network = await cloud.make_network(f"10.{number // 250}.{number % 250}.0/24", name=f"n{number}")
        body: dict[str, Any] = {"ports": [{"network_id": network["id"], "name": f"p{i}"} for i in range(each)]}
        answer = await cloud.as_member().post("/v2.0/ports", json=body)
        assert answer.status_code == 201, answer.text


async def main(ports: int, networks: int) -> None:
    reason = why_not()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="synnefo-ovn-") as folder:
        lab = Lab(Path(folder) / "state")
        try:
            async with Cloud(build, Settings, {**lab.settings(), "ovn_check_s": 30, "ovn_grace_s": 60}) as cloud:
                cloud.lab = lab
                await _accept_to_flows(cloud, samples=SAMPLES)
                projection = projection_of(cloud)
                before = _rss_mib("self")
                began = time.monotonic()
                await _fill(cloud, ports=ports, networks=networks)
                accepted = time.monotonic() - began
                await eventually(projection.is_even, what="all written", timeout_s=600)
                written = time.monotonic() - began
                print(f"{ports} ports in {networks} networks: accepted in {accepted:.1f} s, all written {written:.1f} s after the first")
                for _ in range(2):
                    cpu, began = time.process_time(), time.monotonic()
                    different = await projection.bring_all()
                    took, used = time.monotonic() - began, time.process_time() - cpu
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    print(f"full comparison: {took:.2f} s, {used:.2f} s of CPU, {different} rows different", flush=True)
                    print(f"memory of the service: {_rss_mib('self'):.0f} MiB, before the ports {before:.0f}, at most {peak:.0f}")
                sizes = {name: _rss_mib(lab.pid(name)) for name in ("central/nb", "central/sb", "central/northd", "ch1/ovn-controller")}
                print("memory: " + ", ".join(f"{name} {size:.0f} MiB" for name, size in sizes.items()))
                print(f"with {ports} ports:")
                await _accept_to_flows(cloud, samples=10)
                lab.kill("central/nb")
                (lab.directory / "central/nb.db").unlink()
                began = time.monotonic()
                lab.up()
                await asyncio.sleep(1)
                await eventually(projection.is_even, what="rebuilt", timeout_s=600)
                print(f"northbound database lost: rebuilt and shown to northd after {time.monotonic() - began:.1f} s")
                lab.nb("--timeout=300", "--wait=hv", "sync")
                print(f"northbound database lost: all in the flows of all nodes after {time.monotonic() - began:.1f} s", flush=True)
        finally:
            lab.down()


if __name__ == "__main__":
    chosen = [int(a) for a in sys.argv[1:]]
    asyncio.run(main(*(chosen + [5000, 500][len(chosen) :])))
