"""The errors that callers of the block store may see.

For what went wrong in the store; not for wrong arguments, which are plain `ValueError`.
"""

from collections.abc import Sequence


class StoreError(Exception):
    """Base of everything that the block store raises on purpose."""


class VolumeNotFound(StoreError):
    """There is no volume of that name."""


class VolumeExists(StoreError):
    """A volume of that name exists and was created with another size or origin."""


class LeaseHeld(StoreError):
    """Somebody else may write to the volume now."""


class LeaseLost(StoreError):
    """The caller's right to write ended: it expired and was not renewed, or another took it over."""


class CorruptData(StoreError):
    """Stored bytes do not match their checksum, or something that is referred to is missing."""


class BlocksMissing(StoreError):
    """Blocks that a map was to be made of are not in the store: `hashes`, each once, in order."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        super().__init__(f"{len(hashes)} blocks are not stored")
        self.hashes = tuple(hashes)


class StoreClaimed(StoreError):
    """The store is the pool of somebody else."""


class StoreFull(StoreError):
    """No space is left in the store."""


class StoreUnavailable(StoreError):
    """The store does not answer, or answers with an I/O error; the outcome of a write is unknown."""


class Fenced(StoreUnavailable):
    """The store refuses this client for good: another took over what it was writing. Nothing of it arrived since."""


class ObjectMissing(StoreError):
    """A driver has no object under that key. Engine code turns this into an error of its own."""


class RecordConflict(StoreError):
    """A versioned record is no longer at the expected version."""


class RecordOvertaken(StoreUnavailable):
    """Others wrote a versioned record at least twice while this was written: it is no longer what it says, and may never have been."""
