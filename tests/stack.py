"""A whole cloud for a test: in its own state folder, on free ports, started and stopped like a user's.

Not for tests of one service: those build the application in process (`synnefo_common.testing`).
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from synnefo_local import cloud
from synnefo_local.client_files import client_env
from synnefo_local.layout import CHECKOUT, WELL_KNOWN, Layout, load_memory, service_ports
from synnefo_local.processes import Process
from synnefo_local.processes import stop as stop_processes

UP_TIMEOUT_S = 600


def why_not(profile: str, ganeti: str) -> str | None:
    """The reason for which this machine cannot run such a cloud, or None. SYNNEFO_REQUIRE_FULL=1 makes it an error."""
    reason = None
    if profile == "full":
        tools = ("ceph-mon", "ceph-osd", "/usr/lib/rabbitmq/bin/rabbitmq-server")
        missing = [tool for tool in tools if not shutil.which(tool)]
        if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
            missing.append("postgres")
        if missing:
            reason = f"not installed: {', '.join(missing)} (deploy/local/infra/install-packages)"
        elif ganeti == "real" and os.geteuid() != 0:
            reason = "real Ganeti clusters need root"
        elif ganeti == "real" and not shutil.which("gnt-cluster", path="/usr/sbin:/usr/bin"):
            reason = "not installed: ganeti (deploy/local/ganeti/ganeti-sandbox install)"
    if reason and os.environ.get("SYNNEFO_REQUIRE_FULL") == "1":
        raise RuntimeError(f"SYNNEFO_REQUIRE_FULL is set, but {reason}")
    return reason


class Stack:
    """`with Stack() as stack:` gives a running, seeded cloud; leaving the block deletes all of it."""

    def __init__(
        self, profile: str = "embedded", ganeti: str = "fake", *, env: Mapping[str, str] | None = None, has_crashpoints: bool = False
    ) -> None:
        self.profile = profile
        self.ganeti = ganeti
        self.directory = Path(tempfile.mkdtemp(prefix="synnefo-stack-"))
        self.extra_env = dict(env or {}) | ({"SYNNEFO_CRASHPOINT": str(self.crashpoint_file)} if has_crashpoints else {})
        self.port_base = free_port_base()
        self.layout = Layout(self.directory / "state", "embedded" if profile == "embedded" else f"full-{ganeti}")

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and os.environ.get("SYNNEFO_KEEP_STACK") == "1":
            self.stop()
            print(f"kept {self.directory}")
            return
        self.destroy()

    def start(self, *, env: Mapping[str, str] | None = None) -> None:
        """Start what is not running and wait until it is ready; also after `kill`."""
        arguments = ["up", "--profile", self.profile, "--ganeti", self.ganeti, "--throwaway"]
        self._local(arguments, env=env)

    @property
    def crashpoint_file(self) -> Path:
        """A process that passes the point named in it dies there, once; for a stack made with `has_crashpoints`."""
        return self.directory / "crashpoint"

    def stop(self) -> None:
        self._local(["down"])

    def stop_services(self) -> None:
        """The services only: databases, bus and Ganeti go on."""
        stop_processes([process for process in self._processes() if process.name != "ganeti"])

    def destroy(self) -> None:
        try:
            if self.layout.root.exists():
                self._local(["clean"])
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self, name: str, *, with_signal: signal.Signals = signal.SIGKILL) -> int:
        """Signal one process by its name in `processes()`; its pid."""
        process = {p.name: p for p in self._processes()}[name]
        pid = process.pid()
        if pid is None:
            raise RuntimeError(f"{name} is not running")
        os.kill(pid, with_signal)
        return pid

    def processes(self) -> dict[str, int | None]:
        """Pid by name, None when it is down: `cloud` and `ganeti`, or `identity`, `identity-worker` and so on."""
        return {p.name: p.pid() for p in self._processes()}

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{service_ports(load_memory(self.layout))[service]}"

    @property
    def clouds(self) -> Path:
        """The clouds.yaml with clouds admin, demo and alt_demo."""
        return self.layout.root / "clouds.yaml"

    @property
    def passwords(self) -> dict[str, str]:
        return dict(load_memory(self.layout)["passwords"])

    def env(self, cloud_name: str = "demo") -> dict[str, str]:
        """The environment in which the OpenStack clients and `synnefo` speak to this cloud."""
        return client_env(self.layout, cloud=cloud_name, environ=os.environ)

    def log(self, name: str) -> str:
        return cloud.logs(self.layout)[name].read_text(errors="replace")

    def assert_invariants(self) -> None:
        """`synnefo audit` finds nothing."""
        done = subprocess.run(
            ["synnefo", "audit"], env=self.env("admin"), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"audit: {done.stdout}{done.stderr}"

    def _processes(self) -> list[Process]:
        return cloud.our_processes(self.layout, load_memory(self.layout))

    def _local(self, arguments: list[str], *, env: Mapping[str, str] | None = None) -> None:
        full = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "SYNNEFO_"))}
        full |= {"SYNNEFO_STATE": str(self.layout.root), "SYNNEFO_PORT_BASE": str(self.port_base)}
        done = subprocess.run(
            [sys.executable, "-m", "synnefo_local", *arguments],
            env=full | self.extra_env | dict(env or {}), cwd=CHECKOUT, capture_output=True, text=True,
            check=False, timeout=UP_TIMEOUT_S,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"synnefo_local {' '.join(arguments)}: {done.stdout}{done.stderr}")


def free_port_base() -> int:
    """A base with all of the services' ports free now, below the range from which the kernel hands out ports."""
    for _ in range(200):
        base = 12000 + 10 * secrets.randbelow(1800)
        if all(is_free(base + offset) for offset in range(len(WELL_KNOWN))):
            return base
    raise RuntimeError("no ten free ports in a row")


def is_free(port: int) -> bool:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
