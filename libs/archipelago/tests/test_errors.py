"""Full disks, I/O errors, wrong URLs: errors with names, and a store that works afterwards."""

import errno
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from synnefo_archipelago import Store, StoreFull, StoreUnavailable, open_store
from synnefo_archipelago.drivers.file import FileDriver

BLOCK = 256 << 10


@pytest.fixture
def files(tmp_path: Path) -> Store:
    return Store(FileDriver(tmp_path), block_size=BLOCK)


class Failing:
    """Stands for one function of `os` and fails from its n-th call on, for so many calls."""

    def __init__(self, name: str, code: int, *, first: int, count: int = 1000) -> None:
        self.real = getattr(os, name)
        self.code = code
        self.calls = range(first, first + count)
        self.number = 0
        self.lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            number = self.number
            self.number += 1
        if number in self.calls:
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*args, **kwargs)


@pytest.mark.parametrize("function", ["pwritev", "fdatasync", "fsync"])
@pytest.mark.parametrize(
    ("code", "expected"), [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreUnavailable)]
)
def test_failed_upload_has_a_clear_error_and_leaves_no_rubbish(
    files: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int, expected: type[Exception]
) -> None:
    data = random.Random(3).randbytes(6 * BLOCK)
    monkeypatch.setattr(os, function, Failing(function, code, first=1))
    writer = files.writer()
    with pytest.raises(expected):
        writer.write(data)
        writer.finish()
    monkeypatch.undo()
    writer = files.writer()
    writer.write(data)
    root = writer.finish()
    assert files.read(root, 0, len(data)) == data
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("function", ["pwritev", "fdatasync"])
@pytest.mark.parametrize("first", range(6))
def test_failed_flush_may_be_repeated(files: Store, monkeypatch: pytest.MonkeyPatch, function: str, first: int) -> None:
    old, new = random.Random(4).randbytes(4 * BLOCK), random.Random(5).randbytes(4 * BLOCK)
    files.create_volume("vol", 4 * BLOCK)
    volume = files.open_volume("vol", owner="test")
    volume.write(0, old)
    volume.flush()
    volume.snapshot()
    volume.write(BLOCK, new[BLOCK : 2 * BLOCK])
    volume.flush()
    monkeypatch.setattr(os, function, Failing(function, errno.ENOSPC, first=first, count=3))
    volume.write(0, new)
    with pytest.raises(StoreFull):
        volume.flush()
    assert volume.read(0, 4 * BLOCK) == new
    monkeypatch.undo()
    volume.close()
    assert files.read_volume("vol", 0, 4 * BLOCK) == new


def test_unreadable_disk_is_unavailable(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = files.writer()
    writer.write(b"x" * 1000)
    root = writer.finish()
    monkeypatch.setattr(os, "pread", Failing("pread", errno.EIO, first=0))
    with pytest.raises(StoreUnavailable):
        files.read(root, 0, 10)


def test_answer_lost_on_nfs_is_told_by_the_number_of_links(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link_twice(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise FileExistsError(errno.EEXIST, "the repeated request")

    monkeypatch.setattr(os, "link", link_twice)
    files.create_volume("vol", BLOCK)
    monkeypatch.undo()
    assert list(files.list_volumes()) == ["vol"]


@pytest.mark.parametrize(
    "url", ["", "file:relative", "file://host/path", "http://x", "rados:x", "rados:///c?pool=x", "/path"]
)
def test_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"RADOS|URL"):
        open_store(url)


@pytest.mark.parametrize("size", [0, 1000, 5000, 2048])
def test_wrong_block_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        open_store("memory:", block_size=size)


def test_directory_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "format").write_bytes(b"something else\n")
    with pytest.raises(StoreUnavailable, match="another format"):
        open_store(f"file://{tmp_path}")


def test_cluster_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    conf = tmp_path / "ceph.conf"
    conf.write_text("[global]\nmon host = v2:127.0.0.1:1\nauth client required = none\n[client]\nlog file =\n")
    with pytest.raises(StoreUnavailable):
        open_store(f"rados://{conf}?timeout_s=1")
