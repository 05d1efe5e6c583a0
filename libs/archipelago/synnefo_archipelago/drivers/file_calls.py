"""Calls of the operating system with the store's errors. Nothing here knows how a store is laid out."""

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence

from synnefo_archipelago.api import Data
from synnefo_archipelago.errors import StoreError, StoreFull, StoreUnavailable

_IOV = 256


@contextlib.contextmanager
def mapped() -> Iterator[None]:
    """Give the operating system's errors the store's names."""
    try:
        yield
    except OSError as error:
        raise map_error(error) from error


def map_error(error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(str(error))
    return StoreUnavailable(str(error))


def write_all(fd: int, pieces: Sequence[Data], offset: int) -> int:
    views = [memoryview(piece).cast("B") for piece in pieces if len(piece)]
    while views:
        done = os.pwritev(fd, views[:_IOV], offset)
        offset += done
        while views and done >= len(views[0]):
            done -= len(views.pop(0))
        if done:
            views[0] = views[0][done:]
    return offset
