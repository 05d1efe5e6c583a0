"""Swift's ways to write a time. In: µs since the epoch, as everywhere."""

from __future__ import annotations

import re
import time
from email.utils import formatdate, parsedate_tz
from functools import lru_cache

_LAST_SECOND = 9_999_999_999


def timestamp(us: int) -> str:
    """X-Timestamp: seconds with five decimals."""
    return f"{us // 1_000_000}.{us % 1_000_000 // 10:05d}"


def ceil_seconds(us: int) -> int:
    """Last-Modified rounds up, so that If-Modified-Since of it never says «changed»."""
    return -(-us // 1_000_000)


def http_date(us: int) -> str:
    """Last-Modified."""
    return _http_date(ceil_seconds(us))


@lru_cache(1024)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


@lru_cache(4096)
def _listing_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def listing_date(us: int) -> str:
    """`last_modified` of a listing: UTC without a zone, six decimals."""
    return f"{_listing_second(us // 1_000_000)}.{us % 1_000_000:06d}"


def parse_http_date(text: str) -> int | None:
    """Seconds since the epoch; None for what is no date (such a condition is ignored)."""
    parsed = parsedate_tz(text)
    if parsed is None:
        return None
    try:
        import calendar

        return calendar.timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)
    except (ValueError, OverflowError):
        return None


def parse_seconds(text: str) -> int | None:
    """A whole number of seconds, the far future as its last second by Swift; None for anything else."""
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text.strip()):
        return None
    return int(max(min(float(text), _LAST_SECOND), -_LAST_SECOND))
