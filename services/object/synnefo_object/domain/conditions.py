"""Conditional requests and ranges, decided from headers alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.times import ceil_seconds, parse_http_date

_MAX_RANGES = 50
_RANGE = re.compile(r"(\d{0,19})\s*-\s*(\d{0,19})")


def etags(value: str) -> set[str]:
    """The tags of If-Match or If-None-Match, without quotes."""
    return {tag.strip().removeprefix("W/").strip('"') for tag in value.split(",")}


def not_modified(headers: Mapping[str, str], *, etag: str, modified_us: int) -> bool:
    """True for 304. Raises 412 when a condition fails. `etag` may be empty for a missing object."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    plain = etag.strip('"')
    if match is not None:
        wanted = etags(match)
        if "*" not in wanted and plain not in wanted:
            raise SwiftFault(412)
    if (since := headers.get("if-unmodified-since")) is not None:
        seconds = parse_http_date(since)
        if seconds is not None and ceil_seconds(modified_us) > seconds:
            raise SwiftFault(412)
    if none_match is not None:
        unwanted = etags(none_match)
        if "*" in unwanted or plain in unwanted:
            return True
    elif (since := headers.get("if-modified-since")) is not None:
        seconds = parse_http_date(since)
        if seconds is not None and ceil_seconds(modified_us) <= seconds:
            return True
    return False


def parse_ranges(value: str, size: int) -> list[tuple[int, int]] | None:
    """(start, length) of each range that holds bytes; None when the header is to be ignored.

    Raises 416 when no range holds any.
    """
    unit, equals, specs = value.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    found: list[tuple[int, int]] = []
    pieces = specs.split(",")
    for piece in pieces:
        spec = _RANGE.fullmatch(piece.strip())
        if spec is None or not (spec[1] or spec[2]):
            return None
        if spec[1]:
            start = int(spec[1])
            end = int(spec[2]) if spec[2] else size - 1
            if spec[2] and end < start:
                return None
            if start < size:
                found.append((start, min(end, size - 1) - start + 1))
        else:
            count = min(int(spec[2]), size)
            if count:
                found.append((size - count, count))
    if not found or len(pieces) > _MAX_RANGES or _overlap(found) > 2 or _backwards(found) > 8:
        raise SwiftFault(416, headers={"Content-Range": f"bytes */{size}"})
    return found


def _overlap(ranges: list[tuple[int, int]]) -> int:
    ordered = sorted(ranges)
    return sum(1 for a, b in pairwise(ordered) if b[0] < a[0] + a[1])


def _backwards(ranges: list[tuple[int, int]]) -> int:
    return sum(1 for a, b in pairwise(ranges) if b[0] < a[0])
