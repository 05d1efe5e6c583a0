"""Which pool a store is: said once, kept in the store, and compared ever after.

Settings of several services name the same store; if two are swapped by mistake, a collection would remove live data.
"""

from collections.abc import Sequence
from uuid import uuid4

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.errors import RecordConflict, StoreClaimed

_KEY = "store"


def claim(driver: Driver, names: Sequence[str]) -> str:
    """The store's mark, after it was made the pool of the first name, unless it is that of one of them already.

    Raises `StoreClaimed` when it is another's.
    """
    while (found := _read(driver)) is None:
        try:
            driver.cas_record(Space.CLAIM, _KEY, 0, f"{names[0]}\n{uuid4().hex}".encode())
        except RecordConflict:  # another process was quicker
            continue
    name, mark = found
    if name not in names:
        raise StoreClaimed(f"the store is that of the pool {name!r}, not of {names[0]!r}: compare the URLs in the settings")
    return mark


def mark_of(driver: Driver) -> str | None:
    """The store's mark; None if nobody has claimed it."""
    found = _read(driver)
    return found[1] if found is not None else None


def _read(driver: Driver) -> tuple[str, str] | None:
    record = driver.read_record(Space.CLAIM, _KEY)
    if record is None:
        return None
    name, _, mark = record.value.decode().partition("\n")
    return name, mark
