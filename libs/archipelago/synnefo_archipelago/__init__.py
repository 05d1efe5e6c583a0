"""Archipelago: Synnefo's block store.

Objects, images, snapshots and volumes as maps of 4 MiB blocks; equal blocks are kept once. Start at `open_store`.
Knows nothing of users, projects or the services that use it.
"""

from synnefo_archipelago.aio import AsyncStore, AsyncVolume, AsyncWriter
from synnefo_archipelago.api import Stats, VolumeInfo
from synnefo_archipelago.composing import Range
from synnefo_archipelago.errors import (
    BlocksMissing,
    CorruptData,
    LeaseHeld,
    LeaseLost,
    StoreError,
    StoreFull,
    StoreUnavailable,
    VolumeExists,
    VolumeNotFound,
)
from synnefo_archipelago.hashing import merkle
from synnefo_archipelago.opening import check_apart, open_store, store_mark
from synnefo_archipelago.roots import Root, RootKind
from synnefo_archipelago.store import Store
from synnefo_archipelago.volume import Volume
from synnefo_archipelago.writer import Writer

__all__ = [
    "AsyncStore",
    "AsyncVolume",
    "AsyncWriter",
    "BlocksMissing",
    "CorruptData",
    "LeaseHeld",
    "LeaseLost",
    "Range",
    "Root",
    "RootKind",
    "Stats",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "Volume",
    "VolumeExists",
    "VolumeInfo",
    "VolumeNotFound",
    "Writer",
    "check_apart",
    "merkle",
    "open_store",
    "store_mark",
]
