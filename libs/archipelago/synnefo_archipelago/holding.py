"""Marking what a root refers to as used, so that no collector takes it while the root goes from one owner to another."""

from concurrent.futures import Executor

from synnefo_archipelago.api import Driver, Space
from synnefo_archipelago.entries import ENTRY_SIZE, Kind, parse_entry
from synnefo_archipelago.roots import PAGE_ID_SIZE, ZERO_PAGE, Root


def hold(driver: Driver, root: Root, executor: Executor) -> bool:
    """Touch the pages of a root, or the entries that it keeps inline. False when some are not there."""
    names = [
        (Space.PAGE, root.pages[at : at + PAGE_ID_SIZE].hex())
        for at in range(0, len(root.pages), PAGE_ID_SIZE)
        if root.pages[at : at + PAGE_ID_SIZE] != ZERO_PAGE
    ]
    for at in range(0, len(root.inline), ENTRY_SIZE):
        parsed = parse_entry(root.inline[at : at + ENTRY_SIZE])
        if parsed.kind is not Kind.ZERO:
            names.append((Space.CAS if parsed.kind is Kind.CAS else Space.PRIVATE, parsed.ident.hex()))
    is_wide = len(names) > 1 and driver.reads_ahead
    sizes = executor.map(driver.touch, *zip(*names, strict=True)) if is_wide else (driver.touch(*name) for name in names)
    return None not in list(sizes)
