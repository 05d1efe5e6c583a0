"""What nbdkit loads. Parameters: `store` (a store's URL), `owner` (the node's name), `state` (a folder for journals).

Runs in nbdkit's own interpreter, the distribution's; `__main__` tells it where the library is.
"""

import errno
import sys
import threading
import time
from pathlib import Path

import nbdkit  # type: ignore[import-not-found]

from synnefo_archipelago.errors import LeaseHeld, LeaseLost, StoreError, StoreFull, VolumeNotFound
from synnefo_archipelago.nbd.export import Export
from synnefo_archipelago.opening import open_store
from synnefo_archipelago.store import Store

API_VERSION = 2
_WATCH_S = 0.25

_parameters: dict[str, str] = {}
_stores: list[Store] = []
"""The one store, from `after_fork` on."""
_exports: dict[str, Export] = {}
_lock = threading.Lock()


def thread_model() -> int:
    return int(nbdkit.THREAD_MODEL_PARALLEL)


def config(key: str, value: str) -> None:
    if key not in ("store", "owner", "state"):
        raise ValueError(f"unknown parameter {key}")
    _parameters[key] = value


def config_complete() -> None:
    for key in ("store", "owner", "state"):
        if key not in _parameters:
            raise ValueError(f"{key}= is needed")


def after_fork() -> None:
    """In the process that serves: threads made earlier would not be in it."""
    _stores.append(open_store(_parameters["store"]))
    threading.Thread(target=_watch, name="archipelago-nbd-watch", daemon=True).start()


def _watch() -> None:
    while True:
        time.sleep(_WATCH_S)
        with _lock:
            exports = list(_exports.values())
        for export in exports:
            try:
                export.yield_lease()
            except StoreError as error:
                print(f"archipelago: {export.name}: {error}", file=sys.stderr)


def list_exports(readonly: bool, is_tls: bool) -> list[tuple[str, str]]:
    return [(name, "") for name in _stores[0].list_volumes()]


def default_export(readonly: bool, is_tls: bool) -> str | None:
    return None


def open(readonly: bool) -> Export:  # noqa: A001 - nbdkit's name
    name = nbdkit.export_name()
    with _lock:
        export = _exports.get(name)
        if export is None:
            export = _exports[name] = Export(_stores[0], name, owner=_parameters["owner"], folder=Path(_parameters["state"]))
    try:
        export.attach()
    except VolumeNotFound:
        nbdkit.set_error(errno.ENOENT)
        with _lock:
            _exports.pop(name, None)
        raise
    return export


def close(export: Export) -> None:
    export.detach()


def cleanup() -> None:
    """The server ends. It calls `close` no more, so connections of a moment ago may still hold their leases."""
    for export in _exports.values():
        export.release()


def get_size(export: Export) -> int:
    return export.size


def can_multi_conn(export: Export) -> bool:
    return True  # all connections share one cache


def can_flush(export: Export) -> bool:
    return True


def can_fua(export: Export) -> int:
    return int(nbdkit.FUA_NATIVE)


def can_trim(export: Export) -> bool:
    return True


def can_zero(export: Export) -> bool:
    return True


def can_fast_zero(export: Export) -> bool:
    return True


def can_extents(export: Export) -> bool:
    return True


def is_rotational(export: Export) -> bool:
    return False


def block_size(export: Export) -> tuple[int, int, int]:
    """Any; best in pieces of what is under one checksum; at most what nbdkit takes."""
    return 1, 64 << 10, 0xFFFFFFFF


def pread(export: Export, buf: bytearray, offset: int, flags: int) -> None:
    try:
        buf[:] = export.read(offset, len(buf))
    except StoreError as error:
        _fail(error)


def pwrite(export: Export, buf: bytes, offset: int, flags: int) -> None:
    try:
        export.write(offset, buf, fua=bool(flags & nbdkit.FLAG_FUA))
    except StoreError as error:
        _fail(error)


def zero(export: Export, count: int, offset: int, flags: int) -> None:
    try:
        export.write_zeroes(offset, count, fua=bool(flags & nbdkit.FLAG_FUA))
    except StoreError as error:
        _fail(error)


def trim(export: Export, count: int, offset: int, flags: int) -> None:
    zero(export, count, offset, flags)


def flush(export: Export, flags: int) -> None:
    try:
        export.flush()
    except StoreError as error:
        _fail(error)


def extents(export: Export, count: int, offset: int, flags: int) -> list[tuple[int, int, int]]:
    hole = nbdkit.EXTENT_HOLE | nbdkit.EXTENT_ZERO
    try:
        return [(at, length, 0 if is_data else hole) for at, length, is_data in export.extents(offset, count)]
    except StoreError as error:
        _fail(error)
        raise


def _fail(error: StoreError) -> None:
    """The guest's error number: full is full, what another node holds is not permitted, the rest is I/O."""
    code = errno.ENOSPC if isinstance(error, StoreFull) else errno.EPERM if isinstance(error, LeaseHeld | LeaseLost) else errno.EIO
    nbdkit.set_error(code)
    raise error
