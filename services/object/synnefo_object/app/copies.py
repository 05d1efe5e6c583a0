"""COPY and X-Copy-From: a new object on the same blocks; no byte moves, but into another policy's pool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

import orjson

from synnefo_archipelago import Range, Root
from synnefo_object.app import manifests, objects, quotas, segments, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.download import read_pieces
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Piece, Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.domain import metadata
from synnefo_object.domain.conditions import not_modified, parse_ranges
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import DLO, MULTIPART, PLAIN, SLO
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.paths import Target, decode_name, split_container_object
from synnefo_object.domain.s3 import acl
from synnefo_object.domain.s3.parts import Parts

Location = Target


@dataclass(frozen=True, slots=True)
class Copied:
    uploaded: Uploaded
    source: Stored
    kept: dict[str, str]


def read_location(target: Target, value: str, account: str | None, header: str) -> Target:
    """Where X-Copy-From or Destination points. Raises 412."""
    container, name = split_container_object(_decode(value), header)
    wanted = _decode(account) if account else target.account
    if "/" in wanted:
        raise SwiftFault(412, "Account name cannot contain slashes")
    return Target(wanted, container, name)


def _decode(value: str) -> str:
    return decode_name(unquote(value, errors="surrogateescape").encode("utf-8", "surrogateescape"))


async def copy(
    svc: Services,
    caller: Caller,
    source: Target,
    to: Target,
    headers: Mapping[str, str],
    *,
    raw: bool,
    follow: bool,
    version: str | None = None,
    part: str | None = None,
) -> Copied:
    """Copy with the metadata; what the request names replaces it.

    Raises what GET of the source and PUT of the target raise.
    """
    place = await uploads.ready(svc, caller, to, headers)
    found = await objects.load(svc, caller, source, raw=raw, follow=follow, version=version)
    conditions = {name[len("x-copy-from-") :]: value for name, value in headers.items() if name.startswith("x-copy-from-if-")}
    if conditions and not_modified(conditions, etag=found.etag, modified_us=found.modified_us):
        raise SwiftFault(304)
    fresh = headers.get("x-fresh-metadata", "").lower() in metadata.TRUE
    given = metadata.object_headers(headers)
    kept = given if fresh else {n: v for n, v in found.headers.items() if not n.startswith("x-slo-") and n != acl.HEADER} | given
    metadata.user_metadata(kept, "object")
    content_type = headers.get("content-type")
    detect = headers.get("x-detect-content-type", "").lower() in metadata.TRUE
    chosen = (
        uploads.choose_content_type(to.object, headers)
        if detect or (fresh and not content_type)
        else (objects.clean_content_type(content_type) if content_type else found.content_type)
    )
    expires = metadata.delete_at(headers, now_s=svc.now_s())
    if expires is None and not fresh and "x-remove-delete-at" not in headers:
        expires = found.delete_at
    pool = place.policy
    root: Root | None = None  # the source's own, unless it is made of it
    kind, extra, etag = PLAIN, None, found.etag
    if raw and found.kind in (DLO, SLO):
        if found.kind == SLO:  # a manifest is put anew: there must be such segments where it goes
            parts = [manifests.raw_part(p) for p in orjson.loads(found.extra or "[]")]
            await manifests.check_parts(svc, caller, to, parts)
        kind, extra = found.kind, found.extra
        kept |= {n: v for n, v in found.headers.items() if n.startswith("x-slo-")}
    elif part is not None and found.kind == SLO:
        number = segments.read_part_number({"part-number": part}, headers)
        assert number is not None
        root, etag = await _compose(svc, segments.cut(found.pieces, *segments.part_span(found, number)), pool)
    elif "range" in headers:
        root, etag = await _part(svc, found, headers["range"], pool)
    elif found.kind in (DLO, SLO):
        root, etag = await join(svc, found, pool)
    elif not follow or found.kind == MULTIPART:
        kind, extra = found.kind, found.extra
    size = root.size if root is not None else found.size if kind == MULTIPART else Root.from_bytes(found.root).size
    if etag != found.etag:  # other bytes: S3's checksums are not theirs
        kept = {n: v for n, v in kept.items() if not n.startswith("x-amz-checksum-")}
    manifest = objects.read_manifest_header(headers)
    if manifest and kind != MULTIPART:
        kind, extra = DLO, manifest
    replaced = place.size if place.root is not None else None
    if size > await quotas.room(svc, caller, to, place, replaced=replaced):
        raise SwiftFault(413, "Upload exceeds quota.")
    async with quotas.reserve(svc, caller, quotas.payer(to, place), size) as reservation:
        if root is None:
            root, extra = await bring(svc, found, extra, pool)
        uploaded = await uploads.keep(
            svc,
            place,
            to,
            caller=caller,
            root=root,
            size=size,
            etag=etag,
            content_type=chosen,
            kept=kept,
            expires=expires,
            kind=kind,
            extra=extra,
            reservation=reservation,
            newer_than_us=found.created_us,
        )
    return Copied(uploaded, found, kept)


async def bring(svc: Services, found: Stored, extra: str | None, pool: str) -> tuple[Root, str | None]:
    """The object's own root in a pool, and what its row keeps beside it. The parts of an upload are one there."""
    root = Root.from_bytes(found.root)
    if svc.stores.of(found.pool) is svc.stores.of(pool):
        return root, extra
    if found.kind != MULTIPART:
        return await svc.stores.bring(root, found.pool, pool), extra
    joined, _ = await uploads.receive(svc, read_pieces(svc, found.pieces), length=found.size, most=found.size, pool=pool)
    return joined, replace(Parts.read(extra), roots=()).write() if extra else None


async def _part(svc: Services, found: Stored, wanted: str, pool: str) -> tuple[Root, str]:
    """The range that is asked for, as an object of its own. Raises 416, also for several ranges."""
    ranges = parse_ranges(wanted, found.size)
    if ranges is None:
        return await join(svc, found, pool)
    if len(ranges) != 1:
        raise SwiftFault(416, headers={"Content-Range": f"bytes */{found.size}"})
    return await _compose(svc, segments.cut(found.pieces, *ranges[0]), pool)


async def join(svc: Services, found: Stored, pool: str) -> tuple[Root, str]:
    """A large object as one plain object."""
    if found.size > MAX_FILE_SIZE:
        raise SwiftFault(413)
    return await _compose(svc, found.pieces, pool)


async def _compose(svc: Services, pieces: list[Piece], pool: str) -> tuple[Root, str]:
    """Pieces as one object in a pool, and its MD5. Blocks are referred to again, not written, where the pieces end with blocks.

    One whole object is both already. The MD5 of several is known to nobody yet: they are read for it, and no more.
    """
    if len(pieces) == 1 and pieces[0].etag and pieces[0].inline is None:
        return await svc.stores.bring(Root.from_bytes(pieces[0].root), pieces[0].pool, pool), pieces[0].etag
    length = sum(piece.length for piece in pieces)
    ranges = [Range(Root.from_bytes(piece.root), piece.offset, piece.length) for piece in pieces if piece.inline is None]
    store = svc.stores.of(pool)
    block = store.store.block_size
    is_here = len(ranges) == len(pieces) and all(svc.stores.of(piece.pool) is store for piece in pieces)
    starts_with_block = is_here and all(r.offset % block == 0 and r.root.block_size == block for r in ranges)
    if not starts_with_block or any(r.length % block for r in ranges[:-1]):
        return await uploads.receive(svc, read_pieces(svc, pieces), length=length, most=length, pool=pool)
    root = await store.compose(ranges)
    digest = hashlib.md5(usedforsecurity=False)
    async for piece in read_pieces(svc, pieces):
        await store.run(digest.update, piece)
    return root, digest.hexdigest()
