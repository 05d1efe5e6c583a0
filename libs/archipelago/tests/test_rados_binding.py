"""What the distribution's `rados` binding really does. Each test is a trap that the driver steps around.

When one fails, the binding has changed: look whether the driver may become simpler, or must become more careful.
"""

import asyncio
import contextlib
import errno
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from synnefo_archipelago import StoreFull, StoreUnavailable
from synnefo_archipelago.api import Read, Space
from synnefo_archipelago.drivers import load_rados as loader
from synnefo_archipelago.drivers.rados import RadosDriver
from synnefo_archipelago.errors import Fenced, ObjectMissing, RecordConflict

pytestmark = pytest.mark.full

SCRIPTS = Path(__file__).resolve().parents[3] / "deploy" / "local" / "infra"


def text(value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + value


def versioned(body: bytes) -> bytes:
    return struct.pack("<BBI", 1, 1, len(body)) + body


def lock_input(cookie: bytes, seconds: float = 0) -> bytes:
    body = text(b"L") + b"\x01" + text(cookie) + text(b"") + text(b"")
    return versioned(body + struct.pack("<IIB", int(seconds), int(seconds % 1 * 1e9), 0))


def assert_input(cookie: bytes) -> bytes:
    return versioned(text(b"L") + b"\x01" + text(cookie) + text(b""))


class Client:
    """The bare binding, and a name in the cluster that nobody else uses."""

    def __init__(self, conf: str, name: str) -> None:
        self.rados: Any = loader.load_rados()
        self.cluster: Any = self.rados.Rados(conffile=conf, rados_id="admin", conf={"rados_osd_op_timeout": "20"})
        self.cluster.connect()
        self.io: Any = self.cluster.open_ioctx("maps")
        self.io.set_namespace(name)

    def operate(self, key: str, fill: Callable[[Any], object]) -> None:
        with self.rados.WriteOpCtx() as operation:
            fill(operation)
            self.io.operate_write_op(operation, key)

    def close(self) -> None:
        self.io.close()
        self.cluster.shutdown()


@pytest.fixture
def clients(ceph_conf: str) -> Iterator[tuple[Client, Client]]:
    name = f"b{os.urandom(6).hex()}"
    pair = Client(ceph_conf, name), Client(ceph_conf, name)
    yield pair
    for client in pair:
        client.close()


@pytest.fixture
def one(clients: tuple[Client, Client]) -> Client:
    return clients[0]


@pytest.fixture
def files(ceph_conf: str) -> Iterator[RadosDriver]:
    driver = RadosDriver(ceph_conf, maps="maps", blocks="blocks", namespace=f"d{os.urandom(6).hex()}", timeout_s=20)
    yield driver
    driver.close()


def busy_for(client: Client, key: str, limit_s: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        try:
            client.io.lock_exclusive(key, "L", "other")
        except client.rados.ObjectBusy:
            time.sleep(0.02)
        else:
            break
    return time.monotonic() - began


def test_01_timed_locks_are_exact_through_the_object_class(clients: tuple[Client, Client]) -> None:
    """`lock_exclusive(duration=)` leaves the microseconds to chance; the class takes them as given."""
    first, second = clients
    first.io.execute("o", "lock", "lock", lock_input(b"ck", 0.5))
    assert 0.3 < busy_for(second, "o", 5) < 1.5


def test_02_locks_are_broken_and_listed_through_the_object_class(clients: tuple[Client, Client]) -> None:
    first, second = clients
    assert not hasattr(first.io, "break_lock")
    assert not hasattr(first.io, "list_lockers")
    second.io.lock_exclusive("o", "L", "theirs")
    _, info = first.io.execute("o", "lock", "get_info", versioned(text(b"L")))
    assert b"theirs" in info
    holder = struct.pack("<Bq", 8, second.cluster.get_instance_id())
    first.io.execute("o", "lock", "break_lock", versioned(text(b"L") + holder + text(b"theirs")))
    first.io.lock_exclusive("o", "L", "mine")


def test_03_write_guarded_by_a_lock_is_refused_to_all_but_its_holder(clients: tuple[Client, Client]) -> None:
    first, second = clients
    assert not hasattr(first.rados.WriteOp, "assert_exists")
    assert not hasattr(first.rados.WriteOp, "cmpxattr")

    def guarded(client: Client, data: bytes) -> None:
        def fill(operation: Any) -> None:
            operation.execute("lock", "assert_locked", assert_input(b"ck"))
            operation.write_full(data)

        client.operate("o", fill)

    with pytest.raises(first.rados.ObjectNotFound):
        guarded(first, b"absent")
    first.io.lock_exclusive("o", "L", "ck")
    guarded(first, b"holder")
    with pytest.raises(first.rados.ObjectBusy):
        guarded(second, b"the same cookie of another client")
    first.io.unlock("o", "L", "ck")
    with pytest.raises(first.rados.ObjectBusy):
        guarded(first, b"late")
    assert first.io.read("o") == b"holder"


def test_03_assert_version_tells_older_from_newer(one: Client) -> None:
    one.io.write_full("o", b"x")
    one.io.read("o")
    version = one.io.get_last_version()

    def fill(wanted: int, operation: Any) -> None:
        operation.assert_version(wanted)
        operation.write_full(b"y")

    for delta, code in ((-1, errno.ERANGE), (1, errno.EOVERFLOW)):
        with pytest.raises(one.rados.Error) as caught:
            one.operate("o", partial(fill, version + delta))
        assert abs(caught.value.errno) == code


def test_04_new_creates_the_object_and_create_only_the_operation(one: Client, files: RadosDriver) -> None:
    one.operate("o", lambda op: op.new(one.rados.LIBRADOS_CREATE_EXCLUSIVE))
    with pytest.raises(one.rados.ObjectExists):
        one.operate("o", lambda op: op.new(one.rados.LIBRADOS_CREATE_EXCLUSIVE))
    assert files.put(Space.CAS, "k", [b"1"]) is True
    assert files.put(Space.CAS, "k", [b"2"]) is False


@pytest.mark.parametrize("offset", [0, 1, 7])
def test_05_failed_comparison_is_a_conflict_whatever_its_offset(one: Client, files: RadosDriver, offset: int) -> None:
    one.io.write_full("o", b"0123456789")
    expected = bytearray(b"0123456789")
    expected[offset] ^= 1
    with pytest.raises(one.rados.Error) as caught:
        one.operate("o", lambda op: (op.cmpext(bytes(expected), 0), op.write_full(b"x")))
    mismatch = isinstance(caught.value, one.rados.ExtendMismatch) or abs(caught.value.errno) >= 4095
    assert mismatch
    files.put(Space.PRIVATE, "o", [b"0123456789"])
    with pytest.raises(RecordConflict):
        files.write_at(Space.PRIVATE, "o", [(0, b"x")], expected=(0, bytes(expected)))
    assert files.get(Space.PRIVATE, "o") == b"0123456789"


def test_05_comparison_takes_an_absent_object_for_zeros(one: Client, files: RadosDriver) -> None:
    one.operate("made", lambda op: (op.cmpext(b"\0", 0), op.write_full(b"x")))
    assert one.io.read("made") == b"x"
    for expected in (b"\0\0", b"", b"x"):
        with pytest.raises(ObjectMissing):
            files.write_at(Space.PRIVATE, "absent", [(0, b"x")], expected=(0, expected))
    assert files.touch(Space.PRIVATE, "absent") is None


def test_06_omap_cmp_takes_text_and_fails_with_ecanceled(one: Client) -> None:
    with one.rados.WriteOpCtx() as operation:
        one.io.set_omap(operation, ("gen",), (b"1",))
        one.io.operate_write_op(operation, "o")
    equal = one.rados.LIBRADOS_CMPXATTR_OP_EQ
    one.operate("o", lambda op: (op.omap_cmp("gen", "1", equal), op.write_full(b"x")))
    with pytest.raises(one.rados.Error) as caught:
        one.operate("o", lambda op: (op.omap_cmp("gen", "2", equal), op.write_full(b"y")))
    assert abs(caught.value.errno) == errno.ECANCELED
    with pytest.raises(TypeError):
        one.operate("o", lambda op: op.omap_cmp("gen", b"1", equal))


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_07_data_is_handed_over_as_bytes(one: Client, files: RadosDriver, kind: Callable[[bytes], Any]) -> None:
    with pytest.raises(TypeError):
        one.io.write_full("o", kind(b"data"))
    files.put(Space.PRIVATE, "o", [kind(b"data")])
    files.write_at(Space.PRIVATE, "o", [(1, kind(b"A"))])
    assert files.get(Space.PRIVATE, "o") == b"dAta"


def test_08_locks_are_advisory_and_create_what_they_lock(clients: tuple[Client, Client]) -> None:
    first, second = clients
    first.io.lock_exclusive("o", "L", "ck")
    assert first.io.stat("o")[0] == 0
    assert "lock.L" in [name for name, _ in first.io.get_xattrs("o")]
    second.io.write_full("o", b"by somebody else")  # so a lock alone protects nothing
    with pytest.raises(first.rados.ObjectExists):
        first.io.lock_exclusive("o", "L", "ck")
    with pytest.raises(first.rados.ObjectBusy):
        second.io.lock_exclusive("o", "L", "ck")
    first.io.lock_exclusive("o", "L", "ck", flags=1)


def test_09_object_of_more_than_128_mebibytes_is_refused(one: Client, files: RadosDriver) -> None:
    limit = int(one.cluster.conf_get("osd_max_object_size"))
    assert limit == 128 << 20  # a private block has twice 4 MiB
    files.put(Space.PRIVATE, "o", [b"x"])
    with pytest.raises(StoreUnavailable):
        files.write_at(Space.PRIVATE, "o", [(limit, b"x")])
    assert files.get(Space.PRIVATE, "o") == b"x"


def test_10_connecting_to_nothing_ends_by_the_mount_timeout(tmp_path: Path) -> None:
    conf = tmp_path / "ceph.conf"
    conf.write_text("[global]\nmon host = v2:127.0.0.1:1\nauth client required = none\n[client]\nlog file =\n")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        RadosDriver(str(conf), maps="maps", blocks="blocks", timeout_s=1)
    assert time.monotonic() - began < 10


@pytest.fixture
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster whose parts the test may stop."""
    directory = tmp_path_factory.mktemp("own")
    env = {**os.environ, "RADOS_STORE": "memstore", "RADOS_AUTH": "none", "RADOS_OSD_GB": "1"}
    done = subprocess.run([SCRIPTS / "rados-up", directory], capture_output=True, text=True, check=False, timeout=90, env=env)
    if done.returncode:
        pytest.skip(f"RADOS: {done.stderr[-500:]}")
    yield directory
    subprocess.run([SCRIPTS / "rados-down", directory, "--purge"], capture_output=True, check=False, timeout=60)


def test_11_12_13_outages_of_monitor_and_osd(own_cluster: Path) -> None:
    """11: a call ends by the operation timeout. 12: I/O goes on without the monitor. 13: a watch does not survive."""
    conf = str(own_cluster / "ceph.conf")
    pids = {name: int((own_cluster / "run" / f"{name}.pid").read_text()) for name in ("mon.a", "osd.0")}
    driver = RadosDriver(conf, maps="maps", blocks="blocks", namespace="n", timeout_s=2)
    client = Client(conf, "w")
    try:
        driver.put(Space.PRIVATE, "o", [b"before"])
        client.io.write_full("watched", b"")
        failures: list[tuple[Any, ...]] = []
        watch = client.io.watch("watched", lambda *_: None, lambda *args: failures.append(args), timeout=2)

        os.kill(pids["mon.a"], 19)
        driver.write_at(Space.PRIVATE, "o", [(0, b"without")])
        assert driver.get(Space.PRIVATE, "o") == b"without"
        os.kill(pids["mon.a"], 18)

        os.kill(pids["osd.0"], 19)
        try:
            for call in (
                lambda: driver.get(Space.PRIVATE, "o"),
                lambda: driver.get_many([Read(Space.PRIVATE, "o", 0, 1)] * 2),
                lambda: driver.write_at(Space.PRIVATE, "o", [(0, b"unknown")], expected=(0, b"without")),
                lambda: driver.cas_record(Space.VOLUME, "r", 0, b"unknown"),
            ):
                began = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    call()
                assert time.monotonic() - began < 8
        finally:
            os.kill(pids["osd.0"], 18)
        assert driver.get(Space.PRIVATE, "o") in (b"without", b"unknown")

        until = time.monotonic() + 20
        while not failures and time.monotonic() < until:
            time.sleep(0.1)
        assert failures
        assert len(failures[0]) == 2, "cookie and code"
        with pytest.raises(client.rados.Error):
            watch.check()
        with contextlib.suppress(client.rados.Error):
            watch.close()
        del watch
    finally:
        client.close()
        driver.close()


def test_full_cluster_says_so_and_lets_its_data_be_removed(own_cluster: Path) -> None:
    """By itself librados waits, with removals too, until somebody else makes room."""
    driver = RadosDriver(str(own_cluster / "ceph.conf"), maps="maps", blocks="blocks", namespace="full", timeout_s=5)

    def set_full_ratio(ratio: float) -> None:
        for what, less in (("nearfull", 0.9), ("backfillfull", 0.95), ("full", 1.0)):  # the OSD wants them in this order
            command = json.dumps({"prefix": f"osd set-{what}-ratio", "ratio": ratio * less})
            code, _, why = driver._cluster.mon_command(command, b"")
            assert code == 0, why

    def refused() -> bool:
        try:
            driver.put(Space.CAS, os.urandom(32).hex(), [b"more"])
        except StoreFull:
            return True
        return False

    try:
        driver.put(Space.CAS, "ab" * 32, [os.urandom(4 << 20)])
        set_full_ratio(0.0001)
        until = time.monotonic() + 60  # the OSD tells the monitor now and then
        while not refused() and time.monotonic() < until:
            time.sleep(0.5)
        assert refused()
        with pytest.raises(StoreFull):
            driver.cas_record(Space.VOLUME, "vol", 0, b"root")
        assert len(driver.get(Space.CAS, "ab" * 32)) == 4 << 20
        assert driver.delete(Space.CAS, "ab" * 32) is True
        set_full_ratio(0.95)
        until = time.monotonic() + 60
        while refused() and time.monotonic() < until:
            time.sleep(0.5)
        assert not refused()
    finally:
        driver.close()


def test_14_fenced_client_fails_with_a_name_of_its_own(files: RadosDriver) -> None:
    session = files.session()
    assert session.identity not in ("", files.identity)
    session.put(Space.PRIVATE, "o", [b"before"])
    files.fence(session.identity)
    # An OSD learns of it with the first question of whoever fenced: what that one has read, stays.
    assert files.get(Space.PRIVATE, "o") == b"before"
    for call in (
        lambda: session.write_at(Space.PRIVATE, "o", [(0, b"x")]),
        lambda: session.put(Space.PRIVATE, "p", [b"x"]),
        lambda: session.cas_record(Space.VOLUME, "r", 0, b"x"),
        lambda: session.delete(Space.PRIVATE, "o"),
        lambda: session.get_many([Read(Space.PRIVATE, "o", 0, 1)] * 2),
    ):
        with pytest.raises(Fenced):
            call()
    assert files.get(Space.PRIVATE, "o") == b"before"
    again = files.session()
    assert again is not session
    again.write_at(Space.PRIVATE, "o", [(0, b"B")])
    assert files.get(Space.PRIVATE, "o") == b"Before"


async def test_15_callbacks_come_from_another_thread_and_errors_are_in_the_completion(one: Client) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[str, int, Any]] = loop.create_future()

    def callback(completion: Any, data: Any) -> None:
        seen = (threading.current_thread().name, completion.get_return_value(), data)
        loop.call_soon_threadsafe(done.set_result, seen)

    one.io.aio_read("absent", 10, 0, callback)
    thread, code, data = await asyncio.wait_for(done, 10)
    assert thread != threading.main_thread().name
    assert (code, data) == (-errno.ENOENT, None)


def test_16_many_reads_are_in_flight_together(files: RadosDriver) -> None:
    """More than one window of them, in order, short at the end; one that is missing is an error."""
    for number in range(40):
        files.put(Space.PAGE, f"k{number}", [b"%04d" % number * 10])
    reads = [Read(Space.PAGE, f"k{number}", 2, 100) for number in range(40)]
    assert files.get_many(reads) == [(b"%04d" % number * 10)[2:] for number in range(40)]
    assert files.get_many([]) == []
    assert files.get_many([Read(Space.PAGE, "k1", 500, 5), Read(Space.PAGE, "k1", 0, 2)]) == [b"", b"00"]
    with pytest.raises(ObjectMissing):
        files.get_many([*reads, Read(Space.PAGE, "absent", 0, 1)])


def test_17_asynchronous_read_of_nothing_returns_rubbish(one: Client, files: RadosDriver) -> None:
    """Seen here: at the end of an object the binding returns the buffer as it was, whole; the code says 0."""
    one.io.write_full("o", b"0123")
    found: list[tuple[int, bytes]] = []
    one.io.aio_read("o", 50, 4, lambda done, data: found.append((done.get_return_value(), data))).wait_for_complete_and_cb()
    assert [(code, len(data)) for code, data in found] == [(0, 50)]
    files.put(Space.PAGE, "o", [b"0123"])
    assert files.get_many([Read(Space.PAGE, "o", 4, 50), Read(Space.PAGE, "o", 400, 50)]) == [b"", b""]


def test_binding_is_found_from_any_environment_of_this_python(tmp_path: Path) -> None:
    """A virtual environment that sees no system packages: the binding loads, and nothing else leaks in."""
    package = Path(loader.__file__).parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(package)!r})\n"
        "import importlib.util as u\n"
        "assert u.find_spec('rados') is None\n"
        "spec = u.spec_from_file_location('load_rados', sys.argv[1]); m = u.module_from_spec(spec)\n"
        "spec.loader.exec_module(m); r = m.load_rados(); assert m.load_rados() is r; r.Rados\n"
        "assert u.find_spec('apt_pkg') is None and not any('dist-packages' in p for p in sys.path)\n"
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, timeout=60)
    run = [str(tmp_path / "env" / "bin" / "python"), "-I", "-c", code, loader.__file__]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_machine_without_the_binding_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_DIRECTORIES", ())
    monkeypatch.delitem(sys.modules, "rados", raising=False)
    with pytest.raises(ModuleNotFoundError, match="python3-rados"):
        loader.load_rados()
    with pytest.raises(StoreUnavailable, match="python3-rados"):
        RadosDriver("/none", maps="m", blocks="b")
