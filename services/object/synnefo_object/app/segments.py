"""Large objects: what a DLO's or an SLO's answer is made of. No bytes are read here."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import orjson

from synnefo_object.app.access import READ, Caller
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Piece, Stored, own_pieces
from synnefo_object.db import listings, objects
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import SLO, SYMLINK
from synnefo_object.domain.limits import MAX_SUB_LISTING, MAX_SYMLINKS
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
    if depth >= _MAX_DEPTH:
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
            own = await _pieces(svc, caller, Target(stored.account), inner, depth=depth + 1)
        else:
            if stored.etag != part["hash"] or stored.size != part["bytes"]:
                raise SwiftFault(409)
            own = stored.pieces
        if part.get("range"):
            start, end = (int(x) for x in part["range"].split("-"))
            own = cut(own, start, end - start + 1)
        pieces += own
    return pieces


async def find_segments(
    svc: Services, caller: Caller, target: Target, paths: list[str], *, refused: dict[str, SwiftFault] | None = None
) -> dict[str, Stored]:
    """Objects by `/container/object`, of links what they point to: a statement or two for each container and level of links.

    Raises 401 or 403, or notes them in `refused`; 409 for too many links.
    """
    wanted: dict[str, tuple[Target, str]] = {}  # where each path leads, and the ETag that a static link to there names
    for path in paths:
        container, _, name = path.lstrip("/").partition("/")
        wanted[path] = Target(target.account, container, name), ""
    found: dict[str, Stored] = {}
    for _ in range(MAX_SYMLINKS + 1):
        rows = await _look_up(svc, caller, [place for place, _ in wanted.values()], refused)
        following: dict[str, tuple[Target, str]] = {}
        for path, (place, etag) in wanted.items():
            if refused is not None and place.url_path in refused:
                refused[path] = refused[place.url_path]
            stored = rows.get(place)
            if stored is None or (etag and stored.etag != etag):
                continue
            if stored.kind != SYMLINK or stored.is_expired(svc.now_s()):
                stored.account = place.account
                found[path] = stored
                continue
            link = orjson.loads(stored.extra or "{}")
            following[path] = Target(link["account"], link["container"], link["object"]), link.get("etag", "")
        if not following:
            return found
        wanted = following
    raise SwiftFault(409, f"Too many levels of symbolic links, maximum allowed is {MAX_SYMLINKS}")


async def _look_up(svc: Services, caller: Caller, places: list[Target], refused: dict[str, SwiftFault] | None) -> dict[Target, Stored]:
    names: dict[Target, list[str]] = {}
    for place in places:
        names.setdefault(Target(place.account, place.container), []).append(place.object)
    found: dict[Target, Stored] = {}
    for within, wanted in names.items():
        async with svc.db.read() as uow:
            row = await objects.find(uow, within.project_id or "", within.container, "")
            rows = await objects.find_many(uow, within.project_id or "", within.container, sorted(set(wanted))) if row is not None else []
        try:
            await caller.require(READ, replace(within, object=wanted[0]), row.container_headers if row is not None else None)
        except SwiftFault as fault:
            if refused is None:
                raise
            refused |= {replace(within, object=name).url_path: fault for name in wanted}
            continue
        for row in rows:
            found[replace(within, object=row.name)] = Stored.from_row(row, row.name)
    return found


def part_length(part: Mapping[str, Any]) -> int:
    """The bytes that a kept part of a manifest gives to the whole."""
    if "data" in part:
        return len(b64decode(part["data"]))
    if part.get("range"):
        start, end = (int(x) for x in part["range"].split("-"))
        return end - start + 1
    return int(part["bytes"])


def read_part_number(query: Mapping[str, str], headers: Mapping[str, str]) -> int | None:
    """The part of a static large object that is asked for. Raises 400."""
    text = query.get("part-number")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:10])):
        raise bad_request("Part number must be an integer greater than 0")
    if "range" in headers:
        raise bad_request("Range requests are not supported with part number queries")
    return int(text[:10])


def count_parts(stored: Stored) -> int:
    """Of a static large object."""
    return len(orjson.loads(stored.extra or "[]"))


def part_span(stored: Stored, number: int) -> tuple[int, int]:
    """Offset and length of a part of a static large object, counted from 1. Raises 416 if it has not so many."""
    lengths = [part_length(part) for part in orjson.loads(stored.extra or "[]")]
    if number > len(lengths):
        headers = {"Content-Range": f"bytes */{sum(lengths)}", "X-Parts-Count": str(len(lengths))}
        raise SwiftFault(416, "The requested part number is not satisfiable", headers=headers)
    return sum(lengths[: number - 1]), lengths[number - 1]


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
        kept.append(Piece(piece.root, piece.offset + offset, count, inline, piece.pool, piece.etag if count == piece.length else ""))
        length -= count
        offset = 0
    return kept
