"""A full cloud whose clusters run guests under QEMU, and what a user and a stranger outside see of one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openstack

from synnefo_local.infra import SCRIPTS, packet_names
from synnefo_local.layout import LocalError
from tests.packets.lab import why_not as why_no_ovn
from tests.stack import Stack, why_not
from tests.story.landing import gnt_instance

IMAGE_PACKAGES = ("busybox-static", "cpio", "fdisk", "kmod", "mtools", "syslinux", "syslinux-common")
BOOT_S = 120.0  # under emulation on a machine that does other things, too
NO_MORE_THAN_S = 60.0


def why_no_guests() -> str | None:
    """Why this machine cannot run guests, or None."""
    return why_not("full", "real") or why_no_ovn()


def make_stack() -> Stack:
    return Stack("full", "real", env={"HYPERVISOR": "kvm", "SYNNEFO_NETWORK": "ovn"})


def build_image(folder: Path) -> Path:
    """The guest's disk. LocalError with the reason when this machine cannot make one."""
    commands: list[list[str | Path]] = [[SCRIPTS / "install-packages", *IMAGE_PACKAGES], [SCRIPTS / "build-guest", folder]]
    for words in commands:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise LocalError(done.stderr.strip()[-500:])
    return folder / "guest.raw"


def until(check: Callable[[], Any], *, what: str, timeout_s: float = NO_MORE_THAN_S) -> Any:
    """What `check` gives as soon as it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.2)
    return found


class Cloud:
    """The user `demo` of a stack with a network behind a router, and the namespace at the other end of the external network."""

    def __init__(self, stack: Stack, image: Path) -> None:
        self.stack = stack
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(stack.clouds)
        user: Any = openstack.connect(cloud="demo")  # a narrower type would come back with each assignment
        self.user = user
        names = packet_names(stack.layout)
        assert names is not None
        self.outside = names["outside"]
        self.image: Any = self.user.create_image("guest", filename=str(image), disk_format="raw", container_format="bare", wait=True)
        self.network: Any = self.user.create_network("n")
        subnet = self.user.create_subnet(self.network.id, cidr="10.9.0.0/24", subnet_name="n", enable_dhcp=True)
        router = self.user.create_router("r", ext_gateway_net_id=self.user.get_network("public").id)
        self.user.add_router_interface(router, subnet_id=subnet.id)
        group = self.user.create_security_group("open", "everything")
        for protocol in ("icmp", "tcp"):
            self.user.create_security_group_rule(group.id, protocol=protocol)

    def boot(self, name: str, *, image: str | None = None) -> Guest:
        """A server with a floating IP that answers."""
        server = self.user.create_server(
            name, image=image or self.image.id, flavor="m1.nano", network=self.network.id, security_groups=["open"], wait=True, auto_ip=False
        )
        (port,) = self.user.list_ports(filters={"device_id": server.id})
        address = self.user.create_floating_ip(network="public", server=server, port=port.id).floating_ip_address
        guest = Guest(self, server.id, address)
        guest.answers()
        return guest

    def close(self) -> None:
        self.user.close()


class Guest:
    """A server as strangers outside see it; TCP port 7 of the test image is a shell."""

    def __init__(self, cloud: Cloud, server_id: str, address: str) -> None:
        self.cloud, self.id, self.address = cloud, server_id, address

    def outside(self, *words: str, text: str = "", timeout_s: float = 20.0) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.cloud.outside, *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=timeout_s)

    def answers(self) -> None:
        """Pings are answered, and so is the shell."""
        until(lambda: self.outside("ping", "-c1", "-W1", self.address).returncode == 0, what=f"{self.address} answers", timeout_s=BOOT_S)
        self.run("true")

    def run(self, command: str) -> str:
        """What a command prints in the guest."""
        script = f"{command}\necho done-$?\n"

        def attempt() -> str:  # between two connections nobody listens
            said = self.outside("nc", "-N", "-w15", self.address, "7", text=script).stdout
            return said if "done-" in said else ""

        said: str = until(attempt, what=f"the guest runs {command}")
        text, _, code = said.rpartition("done-")
        assert code.strip() == "0", f"{command}: {said}"
        return text

    def write(self, disk: str, text: str) -> None:
        """Into the gap before the first partition; it is on the disk when this returns."""
        self.run(f"printf %s {text} | dd of=/dev/{disk} bs=512 seek=100 conv=notrunc,fsync 2>/dev/null")

    def read(self, disk: str, length: int) -> str:
        return self.run(f"echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/{disk} bs=512 skip=100 count=1 2>/dev/null | head -c {length}")

    def migrate(self) -> tuple[int, int]:
        """By an operator's hand to the other node, live; pings sent and pings answered meanwhile, ten a second."""
        words = ["ip", "netns", "exec", self.cloud.outside, "ping", "-q", "-i0.1", self.address]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as pings:
            try:
                gnt_instance(self.cloud.stack.layout, "alpha", "migrate", "-f", f"snf-{self.id}")
                self.answers()
            finally:
                pings.send_signal(signal.SIGINT)
            said = pings.communicate(timeout=20)[0]
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found is not None, said
        return int(found[1]), int(found[2])

    def node(self) -> str:
        return gnt_instance(self.cloud.stack.layout, "alpha", "list", "--no-headers", "-o", "pnode", f"snf-{self.id}").strip()

    def status(self) -> str:
        return str(self.cloud.user.compute.get_server(self.id).status)

    def is_status(self, wanted: str) -> None:
        until(lambda: self.status() == wanted, what=f"server {self.id} is {wanted}, not {self.status()}")
