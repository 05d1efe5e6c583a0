"""Multipart uploads: parts are kept beside the objects, and completion joins their maps. No byte moves then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError

from synnefo_archipelago import Root
from synnefo_common.db import UnitOfWork
from synnefo_object.app import quotas, uploads
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.download import read_pieces
from synnefo_object.app.s3 import objects as s3_objects
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.s3.objects import Put, check_conditions, own_acl, ready, version_id
from synnefo_object.app.s3.payload import Payload, Received, receive
from synnefo_object.app.segments import cut
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.db import counters, s3_uploads
from synnefo_object.domain.kinds import MULTIPART, PLAIN
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.s3 import checksums, metadata
from synnefo_object.domain.s3.checksums import Algorithm
from synnefo_object.domain.s3.errors import S3Fault, invalid
from synnefo_object.domain.s3.names import check_key
from synnefo_object.domain.s3.parts import MAX_NUMBER, Parts, join_etags


@dataclass(frozen=True, slots=True)
class PartKey:
    """A part's place."""

    key: Key
    upload_id: str
    number: int


@dataclass(frozen=True, slots=True)
class WantedPart:
    """A part as the request to complete names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an upload is to become: one part at least."""

    upload_id: str
    parts: Sequence[WantedPart]


def check_number(number: int) -> int:
    """Raises InvalidArgument."""
    if not 0 < number <= MAX_NUMBER:
        raise S3Fault(
            "InvalidArgument", f"Part number must be an integer between 1 and {MAX_NUMBER}, inclusive", shown={"ArgumentName": "partNumber"}
        )
    return number


def read_checksum(headers: Mapping[str, str]) -> tuple[Algorithm, str] | None:
    """Algorithm and type that an upload asks for. Raises InvalidRequest."""
    name, kind = headers.get("x-amz-checksum-algorithm"), headers.get("x-amz-checksum-type", "").upper()
    if name is None:
        if kind:
            raise S3Fault("InvalidRequest", "x-amz-checksum-type needs x-amz-checksum-algorithm.")
        return None
    algorithm = checksums.by_name(name)
    kind = kind or checksums.default_type(algorithm)
    fits = (kind == checksums.COMPOSITE and algorithm.name != "CRC64NVME") or (kind == checksums.FULL_OBJECT and algorithm.combine is not None)
    if not fits:
        raise S3Fault("InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm.name} algorithm.")
    return algorithm, kind


def _read_kept(text: str) -> tuple[Algorithm, str] | None:
    name, _, kind = text.partition(" ")
    return (checksums.by_name(name), kind) if name else None


async def initiate(svc: Services, caller: Caller, key: Key, headers: Mapping[str, str]) -> str:
    """The new upload's id."""
    await ready(svc, caller, key, {})
    asked = read_checksum(headers)
    row = {
        "id": svc.ids.hex(),
        "container_id": key.bucket.container_id,
        "name": key.name,
        "content_type": metadata.content_type(headers),
        "headers": orjson.dumps(own_acl(caller, key, metadata.kept_headers(headers))).decode(),
        "checksum": f"{asked[0].name} {asked[1]}" if asked else "",
        "user_id": caller.user_id,
        "created_us": svc.clock.now_us(),
    }

    async def work(uow: UnitOfWork) -> None:
        await s3_uploads.add(uow, row)

    try:
        await svc.db.run(work)
    except IntegrityError as error:
        raise S3Fault("NoSuchBucket") from error
    return str(row["id"])


async def find(svc: Services, caller: Caller, key: Key, upload_id: str) -> Any:
    """The upload. Raises AccessDenied, NoSuchUpload."""
    check_key(key.name)
    await caller.require(WRITE, key.target, key.bucket.container_headers)
    async with svc.db.read() as uow:
        row = await s3_uploads.find(uow, upload_id, container_id=key.bucket.container_id, name=key.name)
    if row is None:
        raise S3Fault("NoSuchUpload", shown={"UploadId": upload_id})
    return row


async def _room(svc: Services, caller: Caller, key: Key) -> tuple[int, str]:
    """How many bytes a part may have, and the pool that it goes to."""
    row = await ready(svc, caller, key, {})
    return await quotas.room(svc, caller, key.target, row, replaced=0), row.policy


async def put_part(svc: Services, caller: Caller, part: PartKey, payload: Payload) -> Received:
    """Raises NoSuchUpload, EntityTooLarge, and what `receive` raises."""
    check_number(part.number)
    upload = await find(svc, caller, part.key, part.upload_id)
    if payload.size > MAX_FILE_SIZE:
        raise S3Fault("EntityTooLarge")
    asked = _read_kept(upload.checksum)
    if asked is not None and payload.algorithm is None:
        payload.algorithm = asked[0]
    elif asked is not None and payload.algorithm is not None and payload.algorithm.name != asked[0].name:
        raise S3Fault("InvalidRequest", f"Checksum Type mismatch occurred, expected checksum Type: {asked[0].name.lower()}.")
    most, pool = await _room(svc, caller, part.key)
    async with quotas.reserve(svc, caller, part.key.bucket.project_id, payload.size) as reservation:
        received = await receive(svc, payload, most=most, pool=pool)
        await _keep_part(svc, part, received, reservation, pool=pool)
    return received


async def _keep_part(svc: Services, part: PartKey, received: Received, reservation: quotas.Reservation, *, pool: str, newer_than_us: int = 0) -> int:
    now_us = max(svc.clock.now_us(), newer_than_us + 1)
    row = {
        "upload_id": part.upload_id,
        "number": part.number,
        "root": received.root.to_bytes(),
        "pool": pool,
        "size": received.root.size,
        "etag": received.md5,
        "checksum": received.checksum,
        "created_us": now_us,
    }
    account_id = part.key.bucket.account_id

    async def work(uow: UnitOfWork) -> None:
        if not await s3_uploads.locked(uow, part.upload_id):
            raise S3Fault("NoSuchUpload", shown={"UploadId": part.upload_id})
        freed = await s3_uploads.put_part(uow, row)
        await counters.add(uow, account_id=account_id, container_id=None, bytes_=received.root.size - freed, now_us=now_us)
        await reservation.accept(uow)

    await svc.db.run(work)
    return now_us


async def copy_part(svc: Services, caller: Caller, *, source: Key, to: PartKey, headers: Mapping[str, str]) -> tuple[Received, int, Stored]:
    """A part out of an object. A whole plain object is taken by its map; else the bytes are read for their MD5.

    The blocks that are there already are not written again.
    """
    check_number(to.number)
    upload = await find(svc, caller, to.key, to.upload_id)
    found = await s3_objects.load(svc, caller, source)
    s3_objects.check_source(found, headers)
    start, length = _read_range(headers.get("x-amz-copy-source-range"), found.size)
    if length > MAX_FILE_SIZE:
        raise S3Fault("EntityTooLarge")
    asked = _read_kept(upload.checksum)
    most, pool = await _room(svc, caller, to.key)
    async with quotas.reserve(svc, caller, to.key.bucket.project_id, length) as reservation:
        if found.kind == PLAIN and length == found.size and asked is None:
            received = Received(await svc.stores.bring(Root.from_bytes(found.root), found.pool, pool), found.etag)
        else:
            stream = read_pieces(svc, cut(found.pieces, start, length))
            received = await receive(svc, Payload(stream, length, algorithm=asked[0] if asked else None), most=most, pool=pool)
        when = await _keep_part(svc, to, received, reservation, pool=pool, newer_than_us=found.created_us)
    return received, when, found


def _read_range(text: str | None, size: int) -> tuple[int, int]:
    """(start, length) of `bytes=first-last`. Raises InvalidArgument, InvalidRange."""
    if text is None:
        return 0, size
    first, dash, last = text.removeprefix("bytes=").partition("-")
    if not text.startswith("bytes=") or not dash or not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or len(text) > 60:
        raise invalid("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets.")
    start, end = int(first), int(last)
    if start > end or end >= size:
        raise invalid(f"Range specified is not valid for source object of size: {size}")
    return start, end - start + 1


async def abort(svc: Services, caller: Caller, key: Key, upload_id: str) -> None:
    """Give up: the parts go. Raises NoSuchUpload."""
    await find(svc, caller, key, upload_id)

    async def work(uow: UnitOfWork) -> None:
        await _remove(uow, svc, key.bucket, upload_id)

    await svc.db.run(work)


async def _remove(uow: UnitOfWork, svc: Services, bucket: Bucket, upload_id: str) -> None:
    held = await s3_uploads.remove(uow, upload_id) if await s3_uploads.locked(uow, upload_id) else None
    if held is None:
        raise S3Fault("NoSuchUpload", shown={"UploadId": upload_id})
    await counters.add(uow, account_id=bucket.account_id, container_id=None, bytes_=-held, now_us=svc.clock.now_us())


async def complete(svc: Services, caller: Caller, key: Key, wanted: Wanted, headers: Mapping[str, str]) -> Put:
    """The object of the parts that are named. Raises InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, NoSuchUpload."""
    bucket, upload_id, named = key.bucket, wanted.upload_id, wanted.parts
    row = await ready(svc, caller, key, {})
    try:
        upload = await find(svc, caller, key, upload_id)
    except S3Fault as fault:
        if fault.kind == "NoSuchUpload" and row.root is not None and row.kind == MULTIPART and Parts.read(row.extra).upload_id == upload_id:
            if row.etag != join_etags([part.etag for part in named]):  # other parts than then
                raise
            return _again(bucket, row)  # completed before, and the answer was lost
        raise
    check_conditions(svc, row, headers)
    if any(one.number >= two.number for one, two in pairwise(named)):
        raise S3Fault("InvalidPartOrder", shown={"UploadId": upload_id})
    async with svc.db.read() as uow:
        kept = {part.number: part for part in await s3_uploads.parts(uow, upload_id)}
    chosen = [_choose(svc, kept, part, upload, is_last=part is named[-1]) for part in named]
    headers_kept = orjson.loads(upload.headers)
    asked = _read_kept(upload.checksum)
    if asked is not None:
        algorithm, kind = asked
        whole = checksums.compose(algorithm, kind, [(part.checksum, part.size) for part in chosen])
        given = headers.get(algorithm.header)
        if given is not None and given not in (whole, whole.partition("-")[0]):
            raise checksums.mismatch(algorithm)
        headers_kept |= {algorithm.header: whole, "x-amz-checksum-type": kind}
    roots = [Root.from_bytes(part.root) for part in chosen]
    block = roots[0].block_size
    is_aligned = all(root.block_size == block and root.is_frozen for root in roots) and all(root.size % block == 0 for root in roots[:-1])
    root = await svc.stores.of(row.policy).concat(roots) if is_aligned else roots[0]
    etag = join_etags([part.etag for part in chosen])
    extra = Parts(
        upload_id,
        tuple(part.size for part in chosen),
        () if is_aligned else tuple(part.root for part in chosen),
        tuple(part.checksum for part in chosen) if asked is not None else (),
    )
    size = sum(extra.sizes)
    if "x-amz-mp-object-size" in headers and headers["x-amz-mp-object-size"] != str(size):
        raise S3Fault("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")

    async def finish(uow: UnitOfWork, _stored_us: int) -> None:
        current = {part.number: part.created_us for part in await s3_uploads.parts(uow, upload_id)}
        if any(current.get(part.number) != part.created_us for part in chosen):
            raise S3Fault("OperationAborted" if current else "NoSuchUpload")
        await _remove(uow, svc, bucket, upload_id)

    uploaded = await uploads.keep(
        svc,
        row,
        key.target,
        caller=caller,
        root=root,
        size=size,
        etag=etag,
        content_type=upload.content_type,
        kept=headers_kept,
        expires=None,
        kind=MULTIPART,
        extra=extra.write(),
        replace="if-none-match" not in headers,
        newer_than_us=max(part.created_us for part in chosen),
        also=finish,
    )
    return Put(etag, version_id(bucket, uploaded), metadata.checksums(headers_kept), uploaded.modified_us)


def _again(bucket: Bucket, row: Any) -> Put:
    stored = Stored.from_row(row, "")
    kept = bucket.keeping is not bucket.keeping.NEVER
    return Put(stored.etag, stored.version_id if kept else None, metadata.checksums(stored.headers), stored.created_us)


def _choose(svc: Services, kept: Mapping[int, Any], part: WantedPart, upload: Any, *, is_last: bool) -> Any:
    found = kept.get(part.number)
    shown = {"UploadId": upload.id, "PartNumber": str(part.number), "ETag": part.etag}
    if found is None or found.etag != part.etag:
        raise S3Fault("InvalidPart", shown=shown)
    asked = _read_kept(upload.checksum)
    given = part.checksums.get(asked[0].element) if asked is not None else None
    if given is not None and given != found.checksum:
        raise S3Fault("InvalidPart", shown=shown)
    if not is_last and found.size < svc.settings.s3_min_part_bytes:
        shown = {"ProposedSize": str(found.size), "MinSizeAllowed": str(svc.settings.s3_min_part_bytes), "PartNumber": str(part.number)}
        raise S3Fault("EntityTooSmall", shown=shown)
    return found


async def parts(svc: Services, caller: Caller, key: Key, upload_id: str, *, after: int, limit: int) -> tuple[Any, Sequence[Any]]:
    """The upload and its parts behind a number."""
    upload = await find(svc, caller, key, upload_id)
    async with svc.db.read() as uow:
        return upload, await s3_uploads.parts(uow, upload_id, after=after, limit=limit)


async def page(
    svc: Services, caller: Caller, bucket: Bucket, *, start: str, after: tuple[str, str] | None, before: str | None, limit: int
) -> Sequence[Any]:
    """Uploads under way. Raises AccessDenied."""
    await caller.require(READ, bucket.target(), bucket.container_headers)
    async with svc.db.read() as uow:
        return await s3_uploads.page(uow, bucket.container_id, start=start, after=after, before=before, limit=limit)
