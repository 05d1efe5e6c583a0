"""A private OVN with three nodes, and namespaces behind its ports that stand in for guests."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INFRA = Path(__file__).parents[2] / "deploy/local/infra"
OUTSIDE_ADDRESS = "198.51.100.1"
OUTSIDE_ADDRESS_V6 = "2001:db8:ffff::1"
PATIENCE_S = 10.0

_UDHCPC = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr flush dev $interface scope global
ip addr add $ip/$mask dev $interface
[ -n "$mtu" ] && ip link set $interface mtu $mtu
set -- $staticroutes
while [ $# -ge 2 ]; do ip route replace $1 via $2 dev $interface onlink 2>/dev/null || ip route replace $1 dev $interface; shift 2; done
echo "LEASE ip=$ip router=$router mtu=$mtu dns=$dns domain=$domain boot=$boot_file$bootfile hostname=$hostname"
"""


def why_not() -> str | None:
    """Why no OVN can run here, or None."""
    if os.geteuid() != 0:
        return "OVN needs root: it makes network namespaces"
    if not Path("/dev/net/tun").exists():
        return "OVN needs /dev/net/tun"
    wanted = ("ovn-northd", "ovs-vswitchd", "ovn-controller", "udhcpc", "ping", "nc", "tcpdump", "ip", "ethtool")
    missing = [name for name in wanted if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    return f"not installed: {', '.join(missing)} (deploy/local/infra/install-packages)" if missing else None


def run(*argv: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def do(*argv: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    """Run beside the service, which is in this process."""
    return await asyncio.to_thread(run, *argv, timeout_s=timeout_s)


async def eventually(check: Callable[[], Any], *, what: str, timeout_s: float = PATIENCE_S) -> float:
    """Seconds until `check()` holds (it may be a coroutine function)."""
    began = time.monotonic()
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"{what}: not within {timeout_s} s"
        await asyncio.sleep(0.05)


@dataclass
class Space:
    """A network namespace: a guest's, or the outside's."""

    name: str
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def run(self, *argv: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
        return await do("ip", "netns", "exec", self.name, *argv, timeout_s=timeout_s)

    async def ping(self, address: str, *options: str) -> bool:
        """One answer to one echo request."""
        return (await self.run("ping", "-c1", "-W1", *options, address)).returncode == 0

    async def reaches(self, address: str, *options: str) -> None:
        """Some echo request is answered: the first ones may be lost while neighbours are found."""
        await eventually(lambda: self.ping(address, *options), what=f"{self.name} pings {address}")

    async def misses(self, address: str, *options: str, times: int = 3) -> None:
        """No echo request is answered."""
        for _ in range(times):
            assert not await self.ping(address, *options), f"{self.name} reached {address}"

    async def connects(self, address: str, port: int) -> bool:
        """Within two seconds: the first packet may be lost while neighbours are found, and is sent again after one."""
        return (await self.run("nc", "-zw2", address, str(port))).returncode == 0

    async def listen(self, port: int) -> None:
        """A TCP server until the test ends."""
        argv = ["ip", "netns", "exec", self.name, "nc", "-lk", "0.0.0.0", str(port)]
        self.servers.append(await asyncio.to_thread(_start, argv))

        async def is_open() -> bool:
            return f":{port} " in (await self.run("ss", "-ltn")).stdout

        await eventually(is_open, what=f"{self.name} listens at {port}")

    async def source_seen_of(self, sender: Space, address: str) -> str:
        """The source that an echo request of the sender has here."""
        echo = "icmp6[icmp6type]==icmp6-echo" if ":" in address else "icmp[icmptype]==icmp-echo"
        dump = asyncio.create_task(self.run("timeout", "6", "tcpdump", "-lnni", "eth0", "-c1", echo))
        while not dump.done():
            await sender.ping(address)
        line = (await dump).stdout
        return line.split(" > ")[0].rpartition(" ")[2]

    def close(self) -> None:
        for server in self.servers:
            server.kill()
            server.wait()


@dataclass
class Guest(Space):
    """Stands in for a server's NIC."""

    port: dict[str, Any] = field(default_factory=dict)
    script: Path = Path()

    @property
    def address(self) -> str:
        return str(next(f["ip_address"] for f in self.port["fixed_ips"] if ":" not in f["ip_address"]))

    async def dhcp(self) -> dict[str, str]:
        """Configure eth0 by a real client; what the lease says."""
        ask = ("-O", "mtu", "-O", "staticroutes", "-O", "bootfile", "-O", "hostname", "-O", "domain")
        lease: dict[str, str] = {}

        async def bound() -> bool:
            said = (await self.run("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "5", "-T", "1", *ask, "-s", str(self.script))).stdout
            for line in said.splitlines():
                if line.startswith("LEASE "):
                    lease.update((k, v) for k, _, v in (pair.partition("=") for pair in line.split()[1:]))
            return bool(lease)

        await eventually(bound, what=f"{self.name} gets a lease", timeout_s=20)
        return lease


class Lab:
    """The nodes, and what is plugged into them."""

    def __init__(self, directory: Path, *, nodes: int = 3) -> None:
        self.directory = directory
        self.nodes = nodes
        self.guests: list[Guest] = []
        self.facts: dict[str, str] = {}
        self.script = directory.parent / "udhcpc"
        self.up()
        self.outside = Space(self.facts["OVN_OUTSIDE"])
        self.script.write_text(_UDHCPC)
        self.script.chmod(0o755)

    def up(self) -> None:
        """Start what is down."""
        env = {**os.environ, "OVN_CHASSIS": str(self.nodes)}
        # Files and no pipes: the daemons keep what they are given.
        with (self.directory.parent / "ovn-up.log").open("w+") as said, (self.directory.parent / "ovn-up.err").open("w+") as complaint:
            done = subprocess.run([str(INFRA / "ovn-up"), str(self.directory)], stdout=said, stderr=complaint, env=env, check=False, timeout=60)
            said.seek(0)
            complaint.seek(0)
            assert done.returncode == 0, complaint.read()
            self.facts = dict(line.strip().split("=", 1) for line in said if "=" in line)

    def down(self) -> None:
        self.clear()
        done = run(str(INFRA / "ovn-down"), str(self.directory), "--purge", timeout_s=60)
        assert done.returncode == 0, done.stderr

    def pid(self, daemon: str) -> int:
        """Of `central/nb`, `ch1/ovs-vswitchd` …"""
        return int((self.directory / f"{daemon}.pid").read_text())

    def kill(self, *daemons: str) -> None:
        """kill -9, and wait until they are dead."""
        pids = [self.pid(d) for d in daemons]
        for pid in pids:
            os.kill(pid, 9)
        deadline = time.monotonic() + 5
        while any(_is_alive(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    async def attach(self, port: dict[str, Any], *, node: int = 1) -> Guest:
        """Plug a guest into a node as the port."""
        done = await do(str(INFRA / "ovn-lab"), str(self.directory), "attach", str(node), port["id"], port["mac_address"])
        assert done.returncode == 0, done.stderr
        guest = Guest(done.stdout.strip(), port=port, script=self.script)
        self.guests.append(guest)
        return guest

    async def detach(self, guest: Guest) -> None:
        guest.close()
        done = await do(str(INFRA / "ovn-lab"), str(self.directory), "detach", guest.port["id"])
        assert done.returncode == 0, done.stderr
        self.guests.remove(guest)

    async def on_node(self, node: int, *argv: str) -> subprocess.CompletedProcess[str]:
        return await do(str(INFRA / "ovn-lab"), str(self.directory), "exec", str(node), *argv)

    def nb(self, *argv: str) -> str:
        done = run("ovn-nbctl", f"--db={self.facts['OVN_NORTHBOUND']}", "--timeout=10", *argv, timeout_s=400)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sb(self, *argv: str) -> str:
        done = run("ovn-sbctl", f"--db={self.facts['OVN_SOUTHBOUND']}", "--timeout=10", *argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def clear(self) -> None:
        """Unplug all guests."""
        self.outside.close()
        self.outside.servers.clear()
        for guest in self.guests:
            guest.close()
            run(str(INFRA / "ovn-lab"), str(self.directory), "detach", guest.port["id"])
        self.guests.clear()

    def settings(self) -> dict[str, Any]:
        """Of the network service."""
        names = {"ovn_northbound": "OVN_NORTHBOUND", "ovn_southbound": "OVN_SOUTHBOUND", "ovn_northd_remote": "OVN_NORTHD_REMOTE"}
        return {name: self.facts[fact] for name, fact in names.items()}


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def addresses(port: dict[str, Any], version: int) -> Sequence[str]:
    return [f["ip_address"] for f in port["fixed_ips"] if (":" in f["ip_address"]) == (version == 6)]
