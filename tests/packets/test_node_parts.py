"""What a Ganeti node runs when a NIC comes or goes: `kvm-vif-bridge` and `ovn-vif-gc`, on a node of the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.packets.conftest import Cloud
from tests.packets.lab import do

PARTS = Path(__file__).parents[2] / "deploy/ganeti/network"
# As far as the script uses them, Ganeti's own functions.
_NET_COMMON = """
check() { [ -n "$INTERFACE" ] && [ -n "$MODE" ]; }
log_info() { echo "$*"; }
is_instance_communication_tap() { return 1; }
setup_bridge() { echo "Ganeti's bridge setup"; }
setup_ovs() { :; }
setup_route() { :; }
"""


async def _tap(cloud: Cloud, node: int, name: str) -> None:
    done = await cloud.lab.on_node(node, "ip", "tuntap", "add", name, "mode", "tap")
    assert done.returncode == 0, done.stderr


async def _plug(cloud: Cloud, tmp_path: Path, *, tap: str, name: str, mac: str, mode: str = "openvswitch", node: int = 1) -> Any:
    (tmp_path / "net-common").write_text(_NET_COMMON)
    env = {
        "GANETI_LIB_DIR": str(tmp_path), "GANETI_CONF_DIR": str(tmp_path), "INTERFACE": tap, "MODE": mode, "LINK": "br-int", "MAC": mac,
        "INSTANCE": "snf-x", "INTERFACE_INDEX": "0", "INTERFACE_UUID": "uuid-of-the-nic", "INTERFACE_NAME": name,
    }  # fmt: skip
    return await cloud.lab.on_node(node, "env", *(f"{k}={v}" for k, v in env.items()), str(PARTS / "kvm-vif-bridge"))


async def test_a_nic_becomes_its_port_and_the_sweep_unplugs_it_when_the_tap_is_gone(cloud: Cloud, tmp_path: Path) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    port = await cloud.make_port(network)
    await _tap(cloud, 1, "tap7")
    done = await _plug(cloud, tmp_path, tap="tap7", name=f"snf-nic-{port['id']}", mac=port["mac_address"])
    assert done.returncode == 0, done.stderr
    await cloud.is_active(port)
    assert "mtu 1442" in (await cloud.lab.on_node(1, "ip", "link", "show", "tap7")).stdout
    # It runs after every operation: what lives stays.
    assert (await cloud.lab.on_node(1, str(PARTS / "ovn-vif-gc"))).stdout == ""
    await cloud.lab.on_node(1, "ip", "link", "del", "tap7")
    swept = await cloud.lab.on_node(1, str(PARTS / "ovn-vif-gc"))
    assert "tap7" in swept.stdout, swept.stderr
    await cloud.is_active(port, status="DOWN")


async def test_a_tap_that_takes_the_name_of_a_dead_one_does_not_get_its_port(cloud: Cloud, tmp_path: Path) -> None:
    network = await cloud.make_network("10.5.0.0/24")
    old, new = await cloud.make_port(network), await cloud.make_port(network)
    for port in (old, new):
        await _tap(cloud, 1, "tap7")
        done = await _plug(cloud, tmp_path, tap="tap7", name=f"snf-nic-{port['id']}", mac=port["mac_address"])
        assert done.returncode == 0, done.stderr
        await cloud.is_active(port)
        await cloud.lab.on_node(1, "ip", "link", "del", "tap7")
    await cloud.is_active(old, status="DOWN")
    await cloud.lab.on_node(1, str(PARTS / "ovn-vif-gc"))


async def test_a_nic_without_a_port_in_its_name_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    await _tap(cloud, 1, "tap7")
    done = await _plug(cloud, tmp_path, tap="tap7", name="eth0", mac="fa:16:3e:00:00:01")
    await cloud.lab.on_node(1, "ip", "link", "del", "tap7")
    assert done.returncode == 1
    assert "has no port id in its name" in done.stderr


async def test_nics_of_other_modes_are_ganetis_own(cloud: Cloud, tmp_path: Path) -> None:
    done = await _plug(cloud, tmp_path, tap="tap8", name="eth0", mac="fa:16:3e:00:00:01", mode="bridged")
    assert "Ganeti's bridge setup" in done.stdout


async def test_a_node_is_given_its_parts(tmp_path: Path) -> None:
    conf = tmp_path / "etc-ganeti"
    places = [f"--{part}-dir={tmp_path / part}" for part in ("os", "extstorage", "iallocator", "log")]
    argv = [word for place in places for word in place.split("=")]
    conf.mkdir()
    done = await do(str(PARTS.parent / "install-node"), *argv, "--ovn-conf-dir", str(conf))
    assert done.returncode == 0, done.stderr
    made = {str(path.relative_to(conf)) for path in conf.rglob("*") if path.is_file()}
    hooks = {f"hooks/instance-{e}-post.d/50-ovn-vif-gc" for e in ("stop", "remove", "migrate", "failover", "modify", "reboot", "reinstall")}
    assert made == hooks | {"kvm-vif-bridge"}
