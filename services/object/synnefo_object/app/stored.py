"""An object as the use cases hand it around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from synnefo_archipelago import Root
from synnefo_object.domain.kinds import MULTIPART, PLAIN
from synnefo_object.domain.s3.parts import Parts


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an answer: a range of a root in the block store, or bytes that lie in a manifest."""

    root: bytes
    offset: int
    length: int
    inline: bytes | None = None
    pool: str = ""
    etag: str = ""  # the MD5 of a piece that is all of a root


@dataclass(slots=True)
class Stored:
    """One object.

    `size`, `etag` and `pieces` are those of what a GET answers, which for a manifest are its segments'.
    """

    container_id: int
    name: str
    root: bytes
    size: int
    etag: str
    content_type: str
    headers: dict[str, str]
    created_us: int
    modified_us: int
    delete_at: int | None = None
    kind: int = PLAIN
    extra: str | None = None
    uuid: str | None = None
    hash: str | None = None
    modified_by: str = ""
    versioned: int = 0
    pool: str = ""
    pieces: list[Piece] = field(default_factory=list)
    account: str = ""  # where it was found, if that may be behind links
    content_location: str | None = None
    shown_version: str | None = None  # what X-Object-Version-Id says of it

    @classmethod
    def from_row(cls, row: Any, name: str) -> Stored:
        return cls(
            row.container_id,
            name,
            row.root,
            row.size,
            row.etag,
            row.content_type,
            orjson.loads(row.headers),
            row.created_us,
            row.modified_us,
            row.delete_at,
            row.kind,
            row.extra,
            row.uuid,
            row.hash,
            row.modified_by,
            row.versioned,
            row.pool,
            own_pieces(row),
        )

    @property
    def version_id(self) -> str:
        """The name of this version: the time of its data, or `null` for data put while no versions were kept."""
        return str(self.created_us) if self.versioned else "null"

    def is_expired(self, now_s: int) -> bool:
        return self.delete_at is not None and self.delete_at <= now_s


def own_pieces(row: Any) -> list[Piece]:
    """Where the bytes of a row are that is no manifest of other objects."""
    roots = Parts.read(row.extra).roots if row.kind == MULTIPART else ()
    if roots:
        return [Piece(root, 0, Root.from_bytes(root).size, pool=row.pool) for root in roots]
    return [Piece(row.root, 0, row.size, pool=row.pool, etag=row.etag if row.kind == PLAIN else "")]
