"""Objects: put, find, copy, delete, tag. Whatever a bucket keeps of the past is `app.s3.versions`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson

from synnefo_archipelago import Root
from synnefo_common.errors import Fault
from synnefo_object.app import archives, copies, quotas, uploads
from synnefo_object.app import objects as objects_app
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.s3 import versions
from synnefo_object.app.s3.buckets import Bucket, Key
from synnefo_object.app.s3.payload import Payload, receive
from synnefo_object.app.s3.versions import Deleted
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.app.versions import Keeping
from synnefo_object.domain.conditions import etags, not_modified
from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import DLO, MULTIPART, PLAIN, SLO
from synnefo_object.domain.limits import MAX_FILE_SIZE
from synnefo_object.domain.s3 import acl, metadata
from synnefo_object.domain.s3.errors import S3Fault, not_implemented
from synnefo_object.domain.s3.names import NULL, check_key

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Put:
    """What a new object is told to be."""

    etag: str
    version_id: str | None
    checksums: dict[str, str] = field(default_factory=dict)
    modified_us: int = 0


def version_id(bucket: Bucket, uploaded: Uploaded) -> str | None:
    """Of new data; None in a bucket that never kept versions."""
    if bucket.keeping is Keeping.NEVER:
        return None
    return str(uploaded.modified_us) if bucket.keeping is Keeping.ENABLED else NULL


async def ready(svc: Services, caller: Caller, key: Key, headers: Mapping[str, str]) -> Any:
    """The place of a new object, when the caller may put it there and the conditions hold. Raises AccessDenied, PreconditionFailed, NoSuchKey."""
    check_key(key.name)
    row = await objects_app.place(svc, key.target)
    await caller.require(WRITE, key.target, row.container_headers if row is not None else None)
    if row is None:
        raise S3Fault("NoSuchBucket")
    check_conditions(svc, row, headers)
    return row


def check_conditions(svc: Services, row: Any, headers: Mapping[str, str]) -> None:
    """If-Match and If-None-Match of a write. Raises PreconditionFailed, NoSuchKey, NotImplemented."""
    present = row.root is not None and (row.delete_at is None or row.delete_at > svc.now_s())
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match is not None:
        if none_match.strip() != "*":
            raise not_implemented("If-None-Match with anything but *")
        if present:
            raise S3Fault("PreconditionFailed", shown={"Condition": "If-None-Match"})
    if match is not None:
        if not present:
            raise S3Fault("NoSuchKey")
        if match.strip() != "*" and row.etag not in etags(match):
            raise S3Fault("PreconditionFailed", shown={"Condition": "If-Match"})


async def put(svc: Services, caller: Caller, key: Key, headers: Mapping[str, str], payload: Payload) -> Put:
    """New data. What it takes is reserved before it comes, or after it where its size was not said."""
    row = await ready(svc, caller, key, headers)
    kept = own_acl(caller, key, metadata.kept_headers(headers))
    length = payload.length
    if length is not None and length > MAX_FILE_SIZE:
        raise S3Fault("EntityTooLarge", shown={"ProposedSize": str(length), "MaxSizeAllowed": str(MAX_FILE_SIZE)})
    most = await quotas.room(svc, caller, key.target, row, replaced=row.size if row.root is not None else None)
    payer = quotas.payer(key.target, row)
    async with AsyncExitStack() as reserved:
        if length is not None:
            reservation = await reserved.enter_async_context(quotas.reserve(svc, caller, payer, length))
        received = await receive(svc, payload, most=most, pool=row.policy)
        if length is None:
            reservation = await reserved.enter_async_context(quotas.reserve(svc, caller, payer, received.root.size))
        if payload.algorithm is not None:
            kept[payload.algorithm.header] = received.checksum
        uploaded = await uploads.keep(
            svc,
            row,
            key.target,
            caller=caller,
            root=received.root,
            etag=received.md5,
            content_type=metadata.content_type(headers),
            kept=kept,
            expires=None,
            reservation=reservation,
            replace="if-none-match" not in headers,
        )
    return Put(uploaded.etag, version_id(key.bucket, uploaded), metadata.checksums(kept), uploaded.modified_us)


def own_acl(caller: Caller, key: Key, kept: dict[str, str]) -> dict[str, str]:
    """What is to be kept; an ACL of the object's own is given by the bucket's owner alone. Raises AccessDenied."""
    if acl.HEADER in kept:
        caller.require_owner(key.target)
    return kept


async def load(svc: Services, caller: Caller, key: Key, *, head: bool = False) -> Stored:
    """The object, or the version, as a GET shows it. Raises AccessDenied, NoSuchKey, NoSuchVersion, MethodNotAllowed (a marker)."""
    try:
        return await _load(svc, caller, key, head=head)
    except SwiftFault as fault:
        if fault.http_status not in (401, 403):
            raise
        refused = fault
    caller.opened = key.target
    try:
        found = await _load(svc, caller, key, head=head)
        if acl.opens(found.headers, is_somebody=caller.claims is not None):
            return found
    except Fault as fault:
        if fault.http_status >= 500:
            raise
        # That there is none is not his to know.
    caller.opened = None
    raise refused


async def _load(svc: Services, caller: Caller, key: Key, *, head: bool) -> Stored:
    if key.version is not None:
        await caller.require(READ, key.target, key.bucket.container_headers)
        return await versions.load(svc, caller, key, key.version, head=head)
    try:
        return await objects_app.load(svc, caller, key.target, head=head)
    except SwiftFault as fault:
        if fault.http_status != 404:
            raise
    headers: dict[str, str] = {}
    if key.bucket.keeping is not Keeping.NEVER:
        marker = await versions.last_marker(svc, key)
        if marker is not None:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": marker}
    raise S3Fault("NoSuchKey", headers=headers, shown={"Key": key.name})


async def copy(svc: Services, caller: Caller, *, source: Key, to: Key, headers: Mapping[str, str]) -> tuple[Put, Stored]:
    """A new object on the same blocks. Raises what GET and PUT raise, PreconditionFailed, InvalidRequest."""
    replaces = _directive(headers, "x-amz-metadata-directive")
    retags = _directive(headers, "x-amz-tagging-directive")
    row = await ready(svc, caller, to, headers)
    found = await load(svc, caller, source)
    check_source(found, headers)
    if source == to and not replaces:
        raise S3Fault("InvalidRequest", "A copy of an object to itself has to change its metadata.")
    given = own_acl(caller, to, metadata.kept_headers(headers))
    granted = {acl.HEADER: given[acl.HEADER]} if acl.HEADER in given else {}
    tags = given.pop(metadata.TAGGING, "") if retags else found.headers.get(metadata.TAGGING, "")
    given.pop(metadata.TAGGING, None)
    hidden = metadata.checksums(found.headers)
    dropped = (metadata.TAGGING, acl.HEADER)
    kept = given | hidden if replaces else {n: v for n, v in found.headers.items() if not n.startswith("x-slo-") and n not in dropped}
    kept |= granted | ({metadata.TAGGING: tags} if tags else {})
    root: Root | None = None  # the source's own, unless it is made of it
    etag, kind, extra = found.etag, PLAIN, None
    if found.kind in (DLO, SLO):
        root, etag = await copies.join(svc, found, row.policy)
        kept = {name: value for name, value in kept.items() if name not in hidden}
    elif found.kind == MULTIPART:
        kind, extra = MULTIPART, found.extra
    if found.size > await quotas.room(svc, caller, to.target, row, replaced=row.size if row.root is not None else None):
        raise S3Fault("QuotaExceeded")
    async with quotas.reserve(svc, caller, quotas.payer(to.target, row), found.size) as reservation:
        if root is None:
            root, extra = await copies.bring(svc, found, extra, row.policy)
        uploaded = await uploads.keep(
            svc,
            row,
            to.target,
            caller=caller,
            root=root,
            size=found.size,
            etag=etag,
            content_type=metadata.content_type(headers) if replaces else found.content_type,
            kept=kept,
            expires=None,
            kind=kind,
            extra=extra,
            reservation=reservation,
            replace="if-none-match" not in headers,
            newer_than_us=found.created_us,
        )
    return Put(etag, version_id(to.bucket, uploaded), metadata.checksums(kept), uploaded.modified_us), found


def _directive(headers: Mapping[str, str], name: str) -> bool:
    """True for REPLACE. Raises InvalidArgument."""
    given = headers.get(name, "COPY").upper()
    if given not in ("COPY", "REPLACE"):
        raise S3Fault("InvalidArgument", f"{name} must be COPY or REPLACE.", shown={"ArgumentName": name, "ArgumentValue": headers[name]})
    return given == "REPLACE"


def check_source(found: Stored, headers: Mapping[str, str]) -> None:
    """x-amz-copy-source-if-… Raises PreconditionFailed."""
    prefix = "x-amz-copy-source-"
    conditions = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix + "if-")}
    if not conditions:
        return
    if "if-match" in conditions:  # as for GET, it outweighs the date
        conditions.pop("if-unmodified-since", None)
    try:
        is_same = not_modified(conditions, etag=found.etag, modified_us=found.created_us)
    except SwiftFault as fault:
        raise S3Fault("PreconditionFailed") from fault
    if is_same:
        raise S3Fault("PreconditionFailed")


async def delete(svc: Services, caller: Caller, key: Key, headers: Mapping[str, str]) -> Deleted:
    """Delete the object, or one version for good. What is not there is deleted, too. Raises AccessDenied, PreconditionFailed."""
    if key.version is not None:
        await caller.require(WRITE, key.target, key.bucket.container_headers)
        return await versions.delete(svc, key, key.version)
    row = await objects_app.place(svc, key.target)
    await caller.require(WRITE, key.target, row.container_headers if row is not None else None)
    if row is None:
        raise S3Fault("NoSuchBucket")
    if "if-match" in headers:
        check_conditions(svc, row, {"if-match": headers["if-match"]})
    if key.bucket.keeping is not Keeping.NEVER and archives.mode_of(row.container_headers) is None:
        return await versions.mark_deleted(svc, caller, key)
    try:
        await objects_app.delete(svc, caller, key.target, {})
    except SwiftFault as fault:
        if fault.http_status != 404:
            raise
    return Deleted()


async def set_tags(svc: Services, caller: Caller, key: Key, tags: list[tuple[str, str]]) -> str | None:
    """Replace the tags; none for an empty list. The version that has them."""
    metadata.check_tags(tags)
    await caller.require(WRITE, key.target, key.bucket.container_headers)
    return await _keep(svc, caller, key, metadata.TAGGING, metadata.write_tags(tags))


async def set_acl(svc: Services, caller: Caller, key: Key, canned: str) -> str | None:
    """Replace the object's own ACL; none for an empty one. The version that has it."""
    caller.require_owner(key.target)
    return await _keep(svc, caller, key, acl.HEADER, canned)


async def _keep(svc: Services, caller: Caller, key: Key, kept: str, value: str) -> str | None:
    for _ in range(_ATTEMPTS):
        found = await load(svc, caller, key, head=True)
        headers = {name: text for name, text in found.headers.items() if name != kept}
        headers |= {kept: value} if value else {}
        if await versions.set_headers(svc, key, created_us=found.created_us, headers=orjson.dumps(headers).decode()):
            return found.version_id if key.bucket.keeping is not Keeping.NEVER else None
    raise S3Fault("OperationAborted")
