"""The bytes of pieces, verified by the store, a megabyte at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from synnefo_archipelago import Root
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Piece

_CHUNK = 1 << 20


async def read_pieces(svc: Services, pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
    """In order. A piece of up to a megabyte is one trip to the store's threads."""
    for piece in pieces:
        if piece.inline is not None:
            yield piece.inline
            continue
        if not piece.length:
            continue
        root, store = Root.from_bytes(piece.root), svc.stores.of(piece.pool)
        if piece.length <= _CHUNK:
            yield await store.read(root, piece.offset, piece.length)
            continue
        stream = store.iter_range(root, piece.offset, piece.length, chunk_bytes=_CHUNK)
        try:
            async for chunk in stream:
                yield chunk
        finally:
            await stream.aclose()
