"""Background processes by pid file. A pid is only ever signalled when its start time is the recorded one."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synnefo_local.layout import LocalError, write_private

MAX_LOG_BYTES = 20_000_000


@dataclass(frozen=True)
class Process:
    """One of our processes: its name, its command and where its pid file and log lie."""

    name: str
    argv: tuple[str, ...]
    run: Path
    log_folder: Path
    port: int | None = None
    ready_url: str | None = None
    package: str | None = None  # a service's, whose command line is `python -m package …`: it may be forked (`launch`)

    @property
    def log(self) -> Path:
        return self.log_folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.run / f"{self.name}.pid"

    def pid(self) -> int | None:
        """The pid while that very process lives, else None."""
        return living_pid(self.pid_file)

    def rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def start(self, env: Mapping[str, str]) -> int:
        self.rotate_log()
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(env), start_new_session=True
            )
        child.returncode = 0  # it outlives us: nobody waits for it, and Popen need not complain about that
        self.record(child.pid)
        return child.pid

    def record(self, pid: int) -> None:
        """From now on this is the one."""
        write_private(self.pid_file, f"{pid} {start_time(pid) or 'gone'}\n")

    def tail(self, lines: int = 30) -> str:
        if not self.log.exists():
            return "(no log)"
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def start_time(pid: int) -> str | None:
    """When this process began, as an opaque word; None when there is none (a zombie counts as none)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return None if fields[0] in "ZX" else f"{boot}-{fields[19]}"
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return None if not words or words[0].startswith("Z") else "-".join(words[1:])


def living_pid(pid_file: Path) -> int | None:
    try:
        number, started = pid_file.read_text().split()
        pid = int(number)
    except (OSError, ValueError):
        return None
    return pid if start_time(pid) == started else None


def stop(processes: Sequence[Process], *, timeout_s: float = 20.0) -> list[str]:
    """SIGTERM to all at once, SIGKILL to the process group of those that stay. Returns the names that were running."""
    running = [(p, pid) for p in processes if (pid := p.pid()) is not None]
    for _, pid in running:
        os.kill(pid, signal.SIGTERM)
    wait_gone([p for p, _ in running], timeout_s=timeout_s)
    for process, pid in running:
        if process.pid() is not None:
            os.killpg(pid, signal.SIGKILL)
    wait_gone([p for p, _ in running], timeout_s=5)
    for process in processes:
        if process.pid() is None:
            process.pid_file.unlink(missing_ok=True)
    return [p.name for p, _ in running]


def wait_gone(processes: Sequence[Process], *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(p.pid() is not None for p in processes) and time.monotonic() < deadline:
        time.sleep(0.02)


def rss_mib(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def died(process: Process) -> LocalError:
    return LocalError(f"{process.name} stopped while starting. The end of {process.log}:\n{process.tail()}")
