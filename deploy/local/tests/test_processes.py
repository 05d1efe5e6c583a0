"""Background processes: only the very process that was started is ever signalled, and a failed start shows its log."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from synnefo_local.layout import LocalError, free_ports
from synnefo_local.processes import Process, living_pid, start_time, stop
from synnefo_local.readiness import probe, wait_ready

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def make_process(folder: Path, code: str, name: str = "thing") -> Process:
    return Process(name, (sys.executable, "-c", code), folder, folder)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = make_process(tmp_path, "import time; time.sleep(600)")
    process.start(os.environ)
    yield process
    stop([process])


def test_started_process_is_found_and_stopped(sleeper: Process) -> None:
    pid = sleeper.pid()
    assert pid is not None
    assert stop([sleeper]) == ["thing"]
    assert sleeper.pid() is None
    assert start_time(pid) is None
    assert stop([sleeper]) == []


def test_recycled_pid_is_not_ours(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        process = make_process(tmp_path, "")
        process.pid_file.write_text(f"{other.pid} some-other-start\n")
        assert process.pid() is None
        assert stop([process]) == []
        assert other.poll() is None, "a process that is not ours was signalled"
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("text", ["", "nonsense", "12", "x y"])
def test_damaged_pid_file_counts_as_stopped(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pid").write_text(text)
    assert living_pid(tmp_path / "a.pid") is None


def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = make_process(tmp_path, STUBBORN)
    process.start(os.environ)
    while "up" not in process.tail():
        time.sleep(0.01)
    stop([process], timeout_s=0.2)
    assert process.pid() is None


def test_process_that_dies_while_starting_shows_its_log(tmp_path: Path) -> None:
    process = make_process(tmp_path, "raise SystemExit('setting compute.listen_port: wrong')")
    process.start(os.environ)
    with pytest.raises(LocalError, match=r"thing stopped while starting(.|\n)*compute.listen_port: wrong"):
        wait_ready([process], {"thing": "http://127.0.0.1:1/readyz"}, timeout_s=20)


def test_service_that_never_gets_ready_is_named_with_the_reason(sleeper: Process) -> None:
    port = free_ports(1)[0]
    with pytest.raises(LocalError, match=rf"thing at http://127.0.0.1:{port}/readyz: .*refused"):
        wait_ready([sleeper], {"thing": f"http://127.0.0.1:{port}/readyz"}, timeout_s=0.2)


def test_service_that_answers_is_ready(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    serve = ("-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path))
    process = Process("web", (sys.executable, *serve), tmp_path, tmp_path)
    (tmp_path / "readyz").write_text("{}")
    process.start(os.environ)
    try:
        wait_ready([process], {"web": f"http://127.0.0.1:{port}/readyz"}, timeout_s=20)
        assert probe(f"http://127.0.0.1:{port}/nothing") is not None
    finally:
        stop([process])
