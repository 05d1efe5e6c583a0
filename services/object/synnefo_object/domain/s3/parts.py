"""Objects that were uploaded in parts: what is kept of the parts beside the object's own root."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import orjson

MAX_NUMBER = 10_000


@dataclass(frozen=True, slots=True)
class Parts:
    """Sizes in order. `roots` only where the object's own root does not join them: parts that do not end where a block ends."""

    upload_id: str
    sizes: tuple[int, ...]
    roots: tuple[bytes, ...] = ()
    checksums: tuple[str, ...] = ()

    def write(self) -> str:
        """As the object's row keeps it."""
        kept = {"upload": self.upload_id, "sizes": self.sizes}
        if self.roots:
            kept["roots"] = [b64encode(root).decode() for root in self.roots]
        if self.checksums:
            kept["checksums"] = self.checksums
        return orjson.dumps(kept).decode()

    @classmethod
    def read(cls, text: str | None) -> Parts:
        """The reverse."""
        kept = orjson.loads(text or "{}")
        return cls(
            kept.get("upload", ""),
            tuple(kept.get("sizes", ())),
            tuple(b64decode(root) for root in kept.get("roots", ())),
            tuple(kept.get("checksums", ())),
        )

    def span(self, number: int) -> tuple[int, int] | None:
        """(start, length) of a part, counted from one."""
        if not 0 < number <= len(self.sizes):
            return None
        return list(accumulate(self.sizes, initial=0))[number - 1], self.sizes[number - 1]


def join_etags(etags: Sequence[str]) -> str:
    """The ETag of the whole: the MD5 of the parts' MD5s, and how many."""
    joined = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags), usedforsecurity=False).hexdigest()
    return f"{joined}-{len(etags)}"
