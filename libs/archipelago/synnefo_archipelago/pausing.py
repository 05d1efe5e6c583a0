"""A moment without a lease: what changes a volume from outside asks its holder to flush and step aside for it.

The wish is a hint. A holder that never looks keeps its lease, and whoever asked hears `LeaseHeld` as if it had not.
"""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from synnefo_archipelago.errors import LeaseHeld

PAUSE = "*"
"""The wish of one that wants no lease, only that there be none; no owner has this name."""
_STEP_S = 0.05
T = TypeVar("T")


class Wishes(Protocol):
    """The part of a store that carries wishes."""

    def ask_for_lease(self, name: str, owner: str | None) -> None: ...


def while_paused(store: Wishes, name: str, change: Callable[[], T], *, wait_s: float) -> T:
    """`change()`, repeated until nobody holds the lease. Raises its LeaseHeld when the holder keeps it for `wait_s`."""
    deadline = time.monotonic() + wait_s
    has_asked = False
    try:
        while True:
            try:
                return change()
            except LeaseHeld:
                if time.monotonic() >= deadline:
                    raise
            store.ask_for_lease(name, PAUSE)
            has_asked = True
            time.sleep(_STEP_S)
    finally:
        if has_asked:
            store.ask_for_lease(name, None)
