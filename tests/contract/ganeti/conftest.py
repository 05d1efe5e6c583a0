"""The two clusters of the contract, each once a session: a fake one in its own process, a real one in a sandbox."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.ganeti.cluster import Cluster

ROOT = Path(__file__).parents[3]
SANDBOX = ROOT / "deploy/local/ganeti/ganeti-sandbox"


def _why_not_real() -> str | None:
    wish = os.environ.get("SYNNEFO_TEST_GANETI")
    if wish == "1":
        return None
    if wish == "0":
        return "the real Ganeti is left out: SYNNEFO_TEST_GANETI=0"
    if os.geteuid() != 0:
        return "the real Ganeti needs root"
    if not Path("/usr/sbin/gnt-cluster").exists():
        return f"Ganeti is not installed; `{SANDBOX.relative_to(ROOT)} install` does that"
    return None


def _fake(directory: Path) -> Iterator[Cluster]:
    command = [sys.executable, "-m", "synnefo_fake_ganeti", "serve", "--state", str(directory)]
    command += ["--cluster", "c1=0", "--node-memory-mib", "24000", "--job-delay", "0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("fake-ganeti ready")
            values = json.loads((directory / "c1/cluster.json").read_text())
            del values["name"]
            yield Cluster(kind="fake", **values)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _sandbox(directory: Path, *arguments: str) -> str:
    environment = {**os.environ, "GANETI_SANDBOX_DIR": str(directory)}
    done = subprocess.run([SANDBOX, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _destroy(directory: Path) -> None:
    _sandbox(directory, "destroy", "ct")
    shutil.rmtree(directory, ignore_errors=True)


def _real() -> Iterator[Cluster]:
    parent = Path("/var/lib/synnefo")
    for left_behind in parent.glob("contract-*"):  # by a run that was killed
        if not Path(f"/proc/{left_behind.name.removeprefix('contract-')}").exists():
            _destroy(left_behind)
    directory = parent / f"contract-{os.getpid()}"
    try:
        values = dict(line.split("=", 1) for line in _sandbox(directory, "up", "ct").splitlines())
        yield Cluster(
            kind="real",
            url=values["RAPI_URL"],
            user=values["RAPI_USER"],
            password=values["RAPI_PASSWORD"],
            reader=values["RAPI_READER"],
            reader_password=values["RAPI_READER_PASSWORD"],
            certificate=values["RAPI_CERT"],
        )
    finally:
        _destroy(directory)


@pytest.fixture(scope="session", params=["fake", pytest.param("real", marks=pytest.mark.full)])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if request.param == "fake":
        yield from _fake(tmp_path_factory.mktemp("fake-ganeti"))
        return
    reason = _why_not_real()
    if reason is not None:
        pytest.skip(reason)
    yield from _real()


@pytest.fixture(scope="session")
def standing(cluster: Cluster) -> str:
    """A running instance with a NIC, for tests that only look."""
    nic = {"mode": "bridged", "link": "br0", "name": "snf-nic-standing"}
    return cluster.make(nics=[nic], tags=["synnefo:server:standing", "a"])


@pytest.fixture
def running(cluster: Cluster) -> str:
    """A running instance without NICs and disks, for one test."""
    return cluster.make()
