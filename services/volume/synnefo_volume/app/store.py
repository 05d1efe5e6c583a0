"""The block store's errors as faults, and roots as text. What is done with the store is the callers'."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator

from synnefo_archipelago import LeaseHeld, Root, StoreError, StoreFull
from synnefo_archipelago import VolumeNotFound as NoSuchVolume
from synnefo_common.errors import InsufficientStorage, Unavailable
from synnefo_volume.domain.errors import VolumeBusy, VolumeNotFound

GIB = 1 << 30


@contextlib.contextmanager
def store_faults(volume_id: str) -> Iterator[None]:
    """Raises VolumeBusy (409), VolumeNotFound, InsufficientStorage or Unavailable for what the store raises."""
    try:
        yield
    except LeaseHeld as error:
        raise VolumeBusy(volume_id) from error
    except NoSuchVolume as error:
        raise VolumeNotFound(volume_id) from error
    except StoreFull as error:
        raise InsufficientStorage("The block store is full.") from error
    except StoreError as error:
        raise Unavailable("The block store does not answer. Try again.") from error


def root_text(root: Root | bytes) -> str:
    """A root for JSON."""
    return base64.b64encode(root if isinstance(root, bytes) else root.to_bytes()).decode()


def root_of(data: str | bytes | None) -> Root | None:
    """A root from JSON or from a column."""
    if data is None:
        return None
    return Root.from_bytes(base64.b64decode(data) if isinstance(data, str) else data)
