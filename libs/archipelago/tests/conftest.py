"""Stores to test on: memory, file, and a throw-away RADOS cluster where Ceph is installed."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synnefo_archipelago.api import Driver
from synnefo_archipelago.opening import open_driver
from synnefo_archipelago.store import Store

BLOCK = 256 << 10
"""Blocks of four sub-blocks keep the tests quick; the code knows no other difference."""


class FakeClock:
    """Time that passes when a test says so; stands for the wall clock and the monotonic one."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="session")
def ceph_conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("SYNNEFO_TEST_CEPH_CONF")
    if given:
        yield given
        return
    scripts = Path(__file__).resolve().parents[3] / "deploy" / "local" / "infra"
    up, down = scripts / "rados-up", scripts / "rados-down"
    if shutil.which("ceph-osd") is None:
        pytest.skip("RADOS: ceph-osd is not installed")
    if not up.exists():
        pytest.skip(f"RADOS: no {up} to start a cluster, and SYNNEFO_TEST_CEPH_CONF is not set")
    directory = tmp_path_factory.mktemp("rados")
    started = subprocess.run([up, directory], capture_output=True, text=True, check=False, timeout=90)
    if started.returncode:
        pytest.fail(f"RADOS did not start: {started.stderr[-2000:]}")
    yield str(directory / "ceph.conf")
    subprocess.run([down, directory, "--purge"], capture_output=True, check=False, timeout=60)


@pytest.fixture(params=["memory", "file", pytest.param("rados", marks=pytest.mark.full)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return f"memory:{tmp_path}"
    if request.param == "file":
        return f"file://{tmp_path}/store"
    conf = request.getfixturevalue("ceph_conf")
    return f"rados://{conf}?namespace=t{os.urandom(6).hex()}&timeout_s=20"


@pytest.fixture
def open_again(store_url: str) -> Iterator[Callable[[], Driver]]:
    """Opens one more driver on the same storage: another process, or this one after a restart."""
    opened: list[Driver] = []

    def again() -> Driver:
        opened.append(open_driver(store_url))
        return opened[-1]

    yield again
    for driver in opened:
        driver.close()


@pytest.fixture
def driver(open_again: Callable[[], Driver]) -> Driver:
    return open_again()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def another_store(open_again: Callable[[], Driver], clock: FakeClock) -> Iterator[Callable[[], Store]]:
    """Opens a further store on the same storage, with empty caches and the same clock."""
    opened: list[Store] = []

    def again() -> Store:
        opened.append(Store(open_again(), block_size=BLOCK, clock=clock, monotonic=clock))
        opened[-1]._renewer.stop()  # time passes here by the test's word only
        return opened[-1]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def store(another_store: Callable[[], Store]) -> Store:
    return another_store()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20261122)
