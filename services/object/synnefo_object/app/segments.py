"""Large objects: what a DLO's or an SLO's answer is made of. No bytes are read here."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from typing import Any
from urllib.parse import unquote

import orjson

from synnefo_object.app.access import READ, Caller
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Piece, Stored, own_pieces
from synnefo_object.db import listings, objects
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import SLO
from synnefo_object.domain.limits import MAX_SUB_LISTING
from synnefo_object.domain.paths import Target, successor

_MAX_DEPTH = 10


def manifest_target(value: str) -> tuple[str, str]:
    """Container and prefix of X-Object-Manifest."""
    container, _, prefix = unquote(value).partition("/")
    return container, prefix


async def expand_dlo(svc: Services, caller: Caller, target: Target, stored: Stored) -> None:
    """Replace size, ETag and pieces by those of all objects under the prefix, in order."""
    container, prefix = manifest_target(stored.extra or "")
    async with svc.db.read() as uow:
        row = await objects.find(uow, target.project_id or "", container, "")
        rows: list[Any] = []
        if row is not None:
            bounds = listings.Bounds(start=prefix, before=successor(prefix))
            rows = list(await listings.segments(uow, row.container_id, bounds, limit=MAX_SUB_LISTING))
    place = Target(target.account, container, prefix)
    await caller.require(READ, place, row.container_headers if row is not None else None)
    # The manifest itself may lie under its own prefix; it is no segment of itself.
    own = (stored.container_id, stored.name)
    within = row.container_id if row is not None else 0
    rows = [r for r in rows if (within, r.name) != own and not (r.delete_at is not None and r.delete_at <= svc.now_s())]
    stored.pieces = [piece for r in rows if r.size for piece in own_pieces(r)]
    stored.size = sum(r.size for r in rows)
    stored.etag = '"' + hashlib.md5("".join(r.etag for r in rows).encode(), usedforsecurity=False).hexdigest() + '"'
    if rows:
        stored.modified_us = max(stored.modified_us, *(r.modified_us for r in rows))


async def expand_slo(svc: Services, caller: Caller, target: Target, stored: Stored, *, head: bool) -> None:
    """Replace size, ETag and pieces by those of the manifest's segments. Raises 409 if one has changed or is gone.

    For a HEAD what the manifest says is enough.
    """
    if head:
        stored.size, stored.etag = int(stored.headers["x-slo-size"]), f'"{stored.headers["x-slo-etag"]}"'
        return
    parts = orjson.loads(stored.extra or "[]")
    stored.pieces = await _pieces(svc, caller, target, parts, depth=0)
    stored.size = sum(p.length for p in stored.pieces)
    stored.etag = f'"{slo_etag(parts)}"'


def slo_etag(parts: list[dict[str, Any]]) -> str:
    """MD5 over what the parts' ETags and ranges are."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        if "data" in part:
            digest.update(hashlib.md5(b64decode(part["data"]), usedforsecurity=False).hexdigest().encode())
        elif part.get("range"):
            digest.update(f"{part['hash']}:{part['range']};".encode())
        else:
            digest.update(part["hash"].encode())
    return digest.hexdigest()


async def _pieces(svc: Services, caller: Caller, target: Target, parts: list[dict[str, Any]], *, depth: int) -> list[Piece]:
    if depth > _MAX_DEPTH:
        raise SwiftFault(409, "Too many levels of large objects in large objects.")
    try:
        found = await find_segments(svc, caller, target, [p["name"] for p in parts if "name" in p])
    except SwiftFault as fault:
        raise SwiftFault(409) from fault  # the manifest is the caller's to read, a segment of it is not
    pieces: list[Piece] = []
    for part in parts:
        if "data" in part:
            data = b64decode(part["data"])
            pieces.append(Piece(b"", 0, len(data), data))
            continue
        stored = found.get(part["name"])
        if stored is None or stored.is_expired(svc.now_s()):
            raise SwiftFault(409)
        if stored.kind == SLO and part.get("sub_slo"):
            inner = orjson.loads(stored.extra or "[]")
            if slo_etag(inner) != part["hash"]:
                raise SwiftFault(409)
            own = await _pieces(svc, caller, target, inner, depth=depth + 1)
        else:
            if stored.etag != part["hash"] or stored.size != part["bytes"]:
                raise SwiftFault(409)
            own = stored.pieces
        if part.get("range"):
            start, end = (int(x) for x in part["range"].split("-"))
            own = cut(own, start, end - start + 1)
        pieces += own
    return pieces


async def find_segments(svc: Services, caller: Caller, target: Target, paths: list[str]) -> dict[str, Stored]:
    """Objects by `/container/object`: one statement for each container."""
    wanted: dict[str, list[str]] = {}
    for path in paths:
        container, _, name = path.lstrip("/").partition("/")
        wanted.setdefault(container, []).append(name)
    found: dict[str, Stored] = {}
    for container, names in wanted.items():
        async with svc.db.read() as uow:
            place = await objects.find(uow, target.project_id or "", container, "")
            rows = await objects.find_many(uow, target.project_id or "", container, sorted(set(names))) if place is not None else []
        await caller.require(READ, Target(target.account, container, names[0]), place.container_headers if place is not None else None)
        for row in rows:
            found[f"/{container}/{row.name}"] = Stored.from_row(row, row.name)
    return found


def cut(pieces: list[Piece], offset: int, length: int) -> list[Piece]:
    """The part of the joined pieces from `offset` on."""
    kept: list[Piece] = []
    for piece in pieces:
        if length <= 0:
            break
        if offset >= piece.length:
            offset -= piece.length
            continue
        count = min(piece.length - offset, length)
        inline = None if piece.inline is None else piece.inline[offset : offset + count]
        kept.append(Piece(piece.root, piece.offset + offset, count, inline))
        length -= count
        offset = 0
    return kept
