"""Names of a server's disks: /dev/vda and on."""

from __future__ import annotations

from collections.abc import Collection


def free_device(taken: Collection[str | None]) -> str:
    """The first name that is not taken."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [*letters, *(a + b for a in letters for b in letters)]
    return next(name for name in (f"/dev/vd{n}" for n in names) if name not in taken)
