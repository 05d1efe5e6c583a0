"""What dies when: existing traffic does not need the control plane, and what the API says is true within ten seconds."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from synnefo_network.settings import Settings
from tests.packets.conftest import Cloud
from tests.packets.lab import OUTSIDE_ADDRESS, Guest, Lab, Space
from tests.packets.test_driver_contract import _bring, _ovn, _started

pytestmark = pytest.mark.slow
_EVERY_S = 0.05


class Traffic:
    """Echo requests every 50 ms while something happens; the longest time without an answer afterwards."""

    def __init__(self, space: Space, address: str) -> None:
        argv = ["ip", "netns", "exec", space.name, "ping", "-i", str(_EVERY_S), "-W1", address]
        self._ping = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.longest_s = -1.0
        self.answers = 0

    async def __aenter__(self) -> Traffic:
        await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._ping.send_signal(2)
        said, _ = await asyncio.to_thread(self._ping.communicate)
        numbers = [int(n) for n in re.findall(r"icmp_seq=(\d+)", said)]
        sent = re.search(r"(\d+) packets transmitted", said)
        assert sent is not None
        self.answers = len(numbers)
        gaps = [b - a - 1 for a, b in zip([0, *numbers], [*numbers, int(sent[1]) + 1], strict=True)]
        self.longest_s = max(gaps) * _EVERY_S


async def _guest_with_a_way_out(cloud: Cloud, *, node: int) -> tuple[dict[str, Any], dict[str, Any], Guest]:
    public, network = await cloud.make_public(), await cloud.make_network("10.5.0.0/24")
    router = await cloud.make_router(network, public=public)
    guest = await cloud.make_guest(network, node=node, security_groups=[await cloud.make_open_group()])
    await guest.reaches(OUTSIDE_ADDRESS)
    return network, router, guest


def _gateway_node(cloud: Cloud) -> int:
    """The node that has the router's gateway."""
    ids = cloud.lab.sb("--bare", "--columns=chassis", "find", "Port_Binding", "type=chassisredirect").split()
    assert len(ids) == 1
    return int(cloud.lab.sb("--bare", "--columns=name", "list", "Chassis", ids[0]).strip().removeprefix("node"))


async def _during(traffic: Traffic, what: Callable[[], Any], *, after_s: float = 2.0) -> Traffic:
    async with traffic:
        await asyncio.to_thread(what)
        await asyncio.sleep(after_s)
    return traffic


async def test_traffic_does_not_need_the_central_databases_nor_northd(cloud: Cloud) -> None:
    network, _, guest = await _guest_with_a_way_out(cloud, node=2)
    killed = await _during(Traffic(guest, OUTSIDE_ADDRESS), lambda: cloud.lab.kill("central/northd", "central/nb", "central/sb"))
    assert killed.longest_s < 0.5
    port = await cloud.make_port(network)
    back = await _during(Traffic(guest, OUTSIDE_ADDRESS), cloud.lab.up, after_s=3)
    assert back.longest_s < 0.5
    # What was accepted meanwhile is there soon after.
    await cloud.lab.attach(port, node=3)
    await cloud.is_active(port)


async def test_traffic_does_not_need_the_controller_of_its_node(cloud: Cloud) -> None:
    _, _, guest = await _guest_with_a_way_out(cloud, node=2)
    killed = await _during(Traffic(guest, OUTSIDE_ADDRESS), lambda: cloud.lab.kill("ch2/ovn-controller"))
    back = await _during(Traffic(guest, OUTSIDE_ADDRESS), cloud.lab.up)
    assert max(killed.longest_s, back.longest_s) < 0.5
    await cloud.is_active(guest.port)


async def test_a_switch_that_died_carries_again_soon_after_its_start(cloud: Cloud) -> None:
    _, _, guest = await _guest_with_a_way_out(cloud, node=2)

    def restart() -> None:
        cloud.lab.kill("ch2/ovs-vswitchd")
        cloud.lab.up()

    assert (await _during(Traffic(guest, OUTSIDE_ADDRESS), restart, after_s=6)).longest_s < 6


async def test_the_gateway_moves_when_its_node_dies(cloud: Cloud) -> None:
    _, router, guest = await _guest_with_a_way_out(cloud, node=1)
    first = _gateway_node(cloud)
    ranked = cloud.lab.nb("--bare", "--columns=chassis_name", "find", "Gateway_Chassis").split()
    assert len(ranked) == 3, f"router {router['id']} has three gateway chassis"
    if first == 1:  # the guest must outlive the node: put it on another
        other = await cloud.make_guest({"id": guest.port["network_id"]}, node=2)
        await other.reaches(OUTSIDE_ADDRESS)
        guest = other
    moved = await _during(Traffic(guest, OUTSIDE_ADDRESS), lambda: cloud.lab.kill(f"ch{first}/ovs-vswitchd"), after_s=6)
    assert moved.longest_s < 4.5
    assert _gateway_node(cloud) != first


async def test_a_lost_northbound_database_is_filled_before_northd_sees_it(cloud: Cloud) -> None:
    network, _, guest = await _guest_with_a_way_out(cloud, node=2)

    def lose() -> None:
        cloud.lab.kill("central/nb")
        (cloud.lab.directory / "central/nb.db").unlink()
        cloud.lab.up()

    lost = await _during(Traffic(guest, OUTSIDE_ADDRESS), lose, after_s=5)
    assert lost.longest_s < 0.5
    assert guest.port["id"] in cloud.lab.nb("--bare", "--columns=name", "list", "Logical_Switch_Port")
    late = await cloud.make_guest(network, node=3, security_groups=[])
    assert await cloud.is_active(late.port) < 10
    await cloud.is_active(guest.port)


async def test_a_node_that_disappears_takes_its_ports_down_and_brings_them_back(cloud: Cloud) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    lost, kept = await cloud.make_guest(network, node=3), await cloud.make_guest(network, node=1)
    cloud.lab.kill("ch3/ovn-controller", "ch3/ovs-vswitchd", "ch3/ovsdb-server")
    assert await cloud.is_active(lost.port, status="DOWN") < 10
    await cloud.is_active(kept.port)
    cloud.lab.up()
    assert await cloud.is_active(lost.port) < 10
    await kept.reaches(lost.address)


async def test_a_service_that_starts_anew_finds_the_status_that_changed_meanwhile(lab: Lab, tmp_path: Any) -> None:
    from synnefo_network.main import build

    lab.up()
    url = f"sqlite:///{tmp_path}/network.db"
    async with Cloud(build, Settings, lab.settings(), database_url=url) as cloud:
        cloud.lab = lab
        network = await cloud.make_network("10.5.0.0/24")
        guest = await cloud.make_guest(network, node=1)
        port = await cloud.make_port(network)
        await cloud.kill()
        await lab.detach(guest)
        await lab.attach(port, node=2)
        await asyncio.sleep(0.5)
        await cloud.rise()
        assert await cloud.is_active(guest.port, status="DOWN") < 10
        assert await cloud.is_active(port) < 10
        lab.clear()


_WRITER = """
import asyncio, sys
from synnefo_common.ids import RandomIds
from synnefo_network.domain.northbound.rows import Parent, Row, Scope, plan
from synnefo_network.main import make_driver
from synnefo_network.settings import Settings

def rows(turn):
    yield Row("Logical_Switch", "s", Scope("network", "s"), {"name": "s", "external_ids": {"turn": str(turn)}}, revision=turn)
    parents = frozenset({Parent("Logical_Switch", "ports", "s")})
    for i in range(300):
        columns = {"name": f"p{i}", "addresses": frozenset({f"fa:16:3e:00:00:01 10.0.{turn % 250}.1"}), "external_ids": {"turn": str(turn)}}
        yield Row("Logical_Switch_Port", f"p{i}", Scope("port", f"p{i}"), columns, parents, turn)

async def main():
    driver = make_driver(Settings(ovn_northbound=sys.argv[1], ovn_southbound=sys.argv[2], ovn_check_s=0), RandomIds())
    await driver.start(lambda: None)
    while driver.session is None:
        await asyncio.sleep(0.01)
    turn = 1
    while True:
        await driver.apply(plan(list(rows(turn)), await driver.observe()))
        print(turn, flush=True)
        turn += 1

asyncio.run(main())
"""


async def test_a_writer_killed_in_mid_transaction_leaves_all_or_nothing_of_it(lab: Lab) -> None:
    lab.up()
    empty = await _started(_ovn(lab))
    await _bring(empty, [])
    await empty.stop()
    for delay_s in (0.0, 0.07, 0.15):
        argv = [sys.executable, "-c", _WRITER, lab.facts["OVN_NORTHBOUND"], lab.facts["OVN_SOUTHBOUND"]]
        writer = await asyncio.to_thread(lambda argv=argv: subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))  # type: ignore[misc]
        assert writer.stdout is not None
        await asyncio.to_thread(writer.stdout.readline)
        await asyncio.sleep(delay_s)
        began = time.monotonic()
        writer.kill()
        writer.wait()
        writer.stdout.close()
        following = await _started(_ovn(lab))
        assert time.monotonic() - began < 5, "the next writer takes over"
        found = await following.observe()
        turns = {row.columns["external_ids"]["turn"] for row in found.values()}
        assert len(found) == 301
        assert len(turns) == 1, f"parts of several transactions: {turns}"
        await _bring(following, [])
        await following.stop()


