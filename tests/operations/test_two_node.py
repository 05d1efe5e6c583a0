"""The commands of docs/two-node-install.md, typed in order on two fresh Debians: containers that systemd boots."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.operations.engine import ROOT, engine
from tests.operations.guides import DOCS, commands

NETWORK = "172.31.242."
MACHINE = """FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends systemd systemd-sysv dbus iproute2 && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
"""
# What systemd needs of an engine: a cgroup tree that it may write to and mounts of its own.
AS_A_MACHINE = (
    "--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined", "--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(3600), pytest.mark.xdist_group("containers")]


class Machines:
    """Two of them, in a network of their own."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.tag = f"twonode{uuid.uuid4().hex[:6]}"

    def docker(self, *arguments: str, given: str | None = None, timeout_s: float = 300, must: bool = True) -> str:
        command = [self.env.get("DOCKER", "docker"), *arguments]
        done = subprocess.run(command, env=self.env, input=given, capture_output=True, text=True, check=False, timeout=timeout_s)
        assert not must or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-5000:]}"
        return done.stdout

    def start(self) -> None:
        self.docker("build", "-q", "-t", self.tag, "-", given=MACHINE)
        self.docker("network", "create", "--subnet", f"{NETWORK}0/24", self.tag)
        for name, number in (("controller", 10), ("node1", 11)):
            self.docker(
                "run", "-d", "--name", f"{self.tag}-{name}", "--hostname", f"{name}.example.org", "--network", self.tag,
                "--ip", f"{NETWORK}{number}", *AS_A_MACHINE, self.tag,
            )  # fmt: skip
        for name in ("controller", "node1"):
            state = ""
            for _ in range(60):
                state = self.docker("exec", f"{self.tag}-{name}", "systemctl", "is-system-running", must=False).strip()
                if state == "running":
                    break
                time.sleep(0.5)
            if state != "running":
                pytest.skip(f"systemd does not boot in a container of this engine: {state or 'no answer'}")

    def copy_to(self, name: str, source: Path, target: str) -> None:
        self.docker("cp", "-L", str(source), f"{self.tag}-{name}:{target}")

    def type(self, name: str, text: str) -> str:
        """As root's shell in /root does; every command must succeed."""
        settings = ["--env", "DEBIAN_FRONTEND=noninteractive", *(["--env", "PIP_CERT=/root/ca.pem"] if "PIP_CERT" in os.environ else [])]
        script = text.replace("10.0.0.", NETWORK)
        if not Path("/proc/sysrq-trigger").exists():  # a kernel without it: Ganeti could not fence this node
            script = script.replace("gnt-cluster verify", "gnt-cluster verify --ignore-errors ENODESETUP")
        return self.docker("exec", "-w", "/root", *settings, f"{self.tag}-{name}", "bash", "-euxo", "pipefail", "-c", script, timeout_s=1500)

    def stop(self) -> None:
        for name in ("controller", "node1"):
            self.docker("rm", "-f", "-v", f"{self.tag}-{name}", must=False)
        self.docker("network", "rm", self.tag, must=False)
        self.docker("rmi", "-f", self.tag, must=False)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with engine(tmp_path / "engine") as env:
        found = Machines(env)
        try:
            found.start()
            yield found
        finally:
            found.stop()


def test_the_two_node_install_leads_to_a_cloud(machines: Machines, tmp_path: Path) -> None:
    guide = commands(DOCS / "two-node-install.md")
    release = tmp_path / "synnefo.tar.gz"
    left_out = (".git", ".venv", ".uv", ".synnefo*", ".*_cache", "__pycache__")
    subprocess.run(["tar", "-czf", str(release), *(f"--exclude={name}" for name in left_out), "."], cwd=ROOT, check=True)
    for name in ("controller", "node1"):
        machines.copy_to(name, release, "/root/synnefo.tar.gz")
        if "PIP_CERT" in os.environ:
            machines.copy_to(name, Path(os.environ["PIP_CERT"]), "/root/ca.pem")
        machines.type(name, guide["Both machines know each other"])
    with ThreadPoolExecutor() as pool:  # each is a machine of its own
        list(pool.map(machines.type, ("controller", "node1"), (guide["The controller"], guide["The node"])))
    for file in ("rapi.password", "rapi.crt"):
        text = machines.type("node1", f"cat /root/{file}")
        machines.type("controller", f"cat >/root/{file} <<'END'\n{text}END\n")
    said = machines.type("controller", guide["The cloud"])
    assert "first" in said
    assert machines.type("node1", "gnt-instance list --no-headers").strip() == ""
    machines.type("controller", "systemctl restart synnefo.target && sleep 5 && systemctl is-active 'synnefo-api@*' 'synnefo-worker@*'")
