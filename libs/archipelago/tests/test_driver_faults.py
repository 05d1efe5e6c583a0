"""Full disks and I/O errors at each call that a driver makes: an error with a name, and a store that works afterwards.

The file driver's calls of the operating system fail one by one, the RADOS driver's calls of the binding.
"""

import contextlib
import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synnefo_archipelago.api import Driver, Read, Space
from synnefo_archipelago.drivers.file import FileDriver
from synnefo_archipelago.drivers.load_rados import load_rados
from synnefo_archipelago.drivers.rados import RadosDriver
from synnefo_archipelago.errors import ObjectMissing, RecordConflict, StoreError, StoreFull, StoreUnavailable

KEY = "ab" * 32
MODULES = {"open": io}  # pathlib reads files by this one
CALLS = [
    "pwritev", "pread", "fdatasync", "fsync", "replace", "link", "unlink", "stat", "fstat", "utime", "scandir",
    "listdir", "truncate", "os.open", "open",
]  # fmt: skip
ERRORS = [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreUnavailable)]


def exchange(driver: Driver, value: bytes | None) -> None:
    record = driver.read_record(Space.VOLUME, "vol")
    driver.cas_record(Space.VOLUME, "vol", record.version if record else 0, value)


OPERATIONS: dict[str, Callable[[Driver], object]] = {
    "put": lambda driver: driver.put(Space.CAS, "cd" * 32, [b"new" * 100]),
    "replace": lambda driver: driver.put(Space.PRIVATE, KEY, [b"new" * 100], replace=True),
    "write_at": lambda driver: driver.write_at(Space.PRIVATE, KEY, [(0, b"new"), (50, b"new")], expected=(9, b"d")),
    "truncate": lambda driver: driver.truncate(Space.PRIVATE, KEY, 5),
    "delete": lambda driver: driver.delete(Space.PRIVATE, KEY),
    "get": lambda driver: driver.get(Space.PRIVATE, KEY),
    "get_many": lambda driver: driver.get_many([Read(Space.PRIVATE, KEY, 0, 5), Read(Space.PRIVATE, KEY, 6, 50)]),
    "touch": lambda driver: driver.touch(Space.PRIVATE, KEY),
    "iter": lambda driver: list(driver.iter(Space.PRIVATE)),
    "read_record": lambda driver: driver.read_record(Space.VOLUME, "vol"),
    "exchange": lambda driver: exchange(driver, b"new"),
    "delete_record": lambda driver: exchange(driver, None),
    "iter_records": lambda driver: list(driver.iter_records(Space.VOLUME)),
}
OLD = b"old" * 3 + b"d" + b"old" * 20


def prepare(driver: Driver) -> None:
    driver.delete(Space.CAS, "cd" * 32)
    driver.put(Space.PRIVATE, KEY, [OLD], replace=True)
    exchange(driver, b"old")


def ensure_old_or_new(driver: Driver) -> None:
    """No half of an operation shows, and everything works."""
    record = driver.read_record(Space.VOLUME, "vol")
    assert (record.value if record else None) in (b"old", b"new", None)
    with contextlib.suppress(ObjectMissing):
        written = bytearray(OLD)
        written[0:3] = written[50:53] = b"new"
        assert driver.get(Space.PRIVATE, KEY) in (OLD, b"new" * 100, written, OLD[:5], b"new" + OLD[3:])
    with contextlib.suppress(ObjectMissing):
        assert driver.get(Space.CAS, "cd" * 32) == b"new" * 100
    prepare(driver)
    driver.put(Space.CAS, "cd" * 32, [b"new" * 100])
    assert driver.get(Space.CAS, "cd" * 32) == b"new" * 100


class Failing:
    """Stands for a function, counts its calls in this thread, and fails in one of them."""

    def __init__(self, real: Any, fail: Callable[[], Exception], at: int | None) -> None:
        self.real, self.fail, self.at, self.calls = real, fail, at, 0
        self.thread = threading.get_ident()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == self.thread:
            self.calls += 1
            if self.calls - 1 == self.at:
                raise self.fail()
        return self.real(*args, **kwargs)


@contextlib.contextmanager
def failing(name: str, code: int, at: int | None) -> Iterator[Failing]:
    module, _, attribute = name.rpartition(".")
    place = os if module else MODULES.get(name, os)
    real = getattr(place, attribute)
    stand_in = Failing(real, lambda: OSError(code, os.strerror(code)), at)
    setattr(place, attribute, stand_in)
    try:
        yield stand_in
    finally:
        setattr(place, attribute, real)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FileDriver:
    return FileDriver(tmp_path_factory.mktemp("faults"))


def count_calls(driver: Driver, operation: Callable[[Driver], object], name: str) -> int:
    prepare(driver)
    with failing(name, 0, None) as counter:
        operation(driver)
    return counter.calls


@pytest.mark.parametrize("name", OPERATIONS)
def test_error_at_each_call_of_the_operating_system(files: FileDriver, name: str) -> None:
    operation = OPERATIONS[name]
    failed = 0
    for call in CALLS:
        for number in range(min(8, count_calls(files, operation, call))):
            for code, expected in ERRORS:
                prepare(files)
                try:
                    with failing(call, code, number):
                        operation(files)
                except StoreError as error:
                    assert isinstance(error, expected), (call, number)
                    failed += 1
                ensure_old_or_new(files)
    assert failed >= len(ERRORS), "no call failed: the list of calls is out of date"


def test_failures_leave_nothing_in_the_temporary_directory(tmp_path: Path) -> None:
    files = FileDriver(tmp_path)
    for call in ("pwritev", "fdatasync", "link", "replace", "fsync", "listdir"):
        for name in ("put", "replace", "exchange"):
            prepare(files)
            with contextlib.suppress(StoreError), failing(call, errno.EIO, 0):
                OPERATIONS[name](files)
    assert list((files._root / "tmp").iterdir()) == []


def test_full_disk_while_a_store_is_made(tmp_path: Path) -> None:
    for number in range(2):
        with pytest.raises(StoreFull), failing("fsync", errno.ENOSPC, number):
            FileDriver(tmp_path / "store")
    ensure_old_or_new(FileDriver(tmp_path / "store"))


def test_repeated_rename_is_told_by_the_file_that_is_there(files: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS: the first request did it, its answer was lost, the second finds the source gone."""
    real = os.replace

    def replace_twice(source: Any, target: Any, **kwargs: Any) -> None:
        real(source, target, **kwargs)
        real(source, target, **kwargs)

    prepare(files)
    monkeypatch.setattr(os, "replace", replace_twice)
    assert files.put(Space.PRIVATE, KEY, [b"new"], replace=True) is True
    monkeypatch.undo()
    assert files.get(Space.PRIVATE, KEY) == b"new"


def test_rename_whose_source_vanished_is_an_error(files: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(files)
    real = os.replace

    def vanish(source: Any, target: Any, **kwargs: Any) -> None:
        Path(source).unlink()
        real(source, target, **kwargs)

    monkeypatch.setattr(os, "replace", vanish)
    with pytest.raises(StoreUnavailable):
        files.put(Space.PRIVATE, KEY, [b"new"], replace=True)
    monkeypatch.undo()
    assert files.get(Space.PRIVATE, KEY) == OLD


@pytest.mark.parametrize("call", ["pread", "fstat", "os.open"])
def test_stale_handle_is_opened_again(files: FileDriver, call: str) -> None:
    """NFS: the file was replaced by another host while it was open here."""
    prepare(files)
    with failing(call, errno.ESTALE, 0):
        assert files.get(Space.PRIVATE, KEY) == OLD
    with failing("open", errno.ESTALE, 0):
        record = files.read_record(Space.VOLUME, "vol")
    assert record is not None
    assert record.value == b"old"


def test_handle_that_stays_stale_is_an_error(files: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(files)

    def stale(*_: Any) -> bytes:
        raise OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(os, "pread", stale)
    with pytest.raises(StoreUnavailable):
        files.get(Space.PRIVATE, KEY)


def test_link_that_another_won_is_a_conflict(files: FileDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answer as for a repeated request, but the name is another's file."""
    prepare(files)
    record = files.read_record(Space.VOLUME, "vol")
    assert record is not None
    real = os.link

    def lose(source: Any, target: Any, **kwargs: Any) -> None:
        Path(target).write_bytes(b"new")
        real(source, target, **kwargs)

    monkeypatch.setattr(os, "link", lose)
    with pytest.raises(RecordConflict):
        files.cas_record(Space.VOLUME, "vol", record.version, b"mine")
    monkeypatch.undo()
    found = files.read_record(Space.VOLUME, "vol")
    assert found == (record.version + 1, b"new")


def test_files_that_nfs_keeps_for_open_handles_are_no_objects(files: FileDriver) -> None:
    prepare(files)
    for space in (Space.VOLUME, Space.CAS):
        hidden = next((files._root / space).iterdir()) / ".nfs00000000012345670000abcd"
        hidden.write_bytes(b"x")
        assert not [name for name in files.iter_records(Space.VOLUME) if "nfs" in name]
        assert not [key for key, _ in files.iter(Space.CAS) if "nfs" in key]
        hidden.unlink()


class FailingPool:
    """Stands for one pool's handle; each call of any of its methods counts."""

    def __init__(self, real: Any, fail: Callable[[], Exception], at: int | None) -> None:
        self.real, self.fail, self.at, self.calls = real, fail, at, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls - 1 == self.at:
                raise self.fail()
            return found(*args, **kwargs)

        return call


@pytest.mark.full
@pytest.mark.parametrize("name", OPERATIONS)
def test_error_at_each_call_of_the_cluster(ceph_conf: str, name: str) -> None:
    rados = load_rados()
    driver = RadosDriver(ceph_conf, maps="maps", blocks="blocks", namespace=f"e{os.urandom(6).hex()}", timeout_s=20)
    real = dict(driver._io)

    def run(code: int, at: int | None) -> int:
        pools = {space: FailingPool(pool, lambda: rados.OSError("injected", code), at) for space, pool in real.items()}
        driver._io = dict(pools)
        try:
            OPERATIONS[name](driver)
        finally:
            driver._io = dict(real)
        return max(pool.calls for pool in pools.values())

    prepare(driver)
    calls = run(0, None)
    assert calls > 0
    for number in range(calls):
        for code, expected in ERRORS:
            prepare(driver)
            with pytest.raises(expected):
                run(code, number)
            ensure_old_or_new(driver)
    driver.close()


def test_exchange_overtaken_twice_is_not_said_to_have_failed(
    files: FileDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others went on from our version before we looked: a conflict would be a lie, and the caller would do it twice."""
    prepare(files)
    record = files.read_record(Space.VOLUME, "vol")
    assert record is not None
    real = os.link

    def overtaken(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        monkeypatch.setattr(os, "link", real)
        for value in (b"second", b"third"):
            exchange(files, value)

    monkeypatch.setattr(os, "link", overtaken)
    with pytest.raises(StoreUnavailable):
        files.cas_record(Space.VOLUME, "vol", record.version, b"first")
    found = files.read_record(Space.VOLUME, "vol")
    assert found == (record.version + 3, b"third")
