"""Symlinks: an empty object that stands for another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

import orjson

from synnefo_object.app import objects, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.objects import resolve_link
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.domain import metadata
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import SLO, SYMLINK
from synnefo_object.domain.paths import Target


def link_headers(stored: Stored) -> dict[str, str]:
    """X-Symlink-Target and its kin, for `symlink=get`."""
    link = orjson.loads(stored.extra or "{}")
    headers = {
        "X-Symlink-Target": quote(f"{link['container']}/{link['object']}"),
        "X-Symlink-Target-Account": quote(link["account"]),
    }
    if link.get("etag"):
        headers["X-Symlink-Target-Etag"] = link["etag"]
        headers["X-Symlink-Target-Bytes"] = str(link.get("bytes", 0))
    return headers


async def put(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> Uploaded:
    """Raises 400 for a body, 409 when a static link's target does not match, 412 for a bad target."""
    row = await uploads.ready(svc, caller, target, headers)
    if headers.get("content-length", "0") != "0" and "transfer-encoding" not in headers:
        raise bad_request("Symlink requests require a zero byte body")
    if "x-object-manifest" in headers:
        raise bad_request("A symlink cannot be a manifest.")
    goal = resolve_link(target, headers["x-symlink-target"], headers.get("x-symlink-target-account"))
    if goal == target:
        raise bad_request("Symlink cannot target itself")
    if not metadata.is_clean(goal.container + goal.object + goal.account) or "/" in goal.account:
        raise SwiftFault(412, "X-Symlink-Target header must be of the form <container name>/<object name>")
    link: dict[str, object] = {"account": goal.account, "container": goal.container, "object": goal.object}
    content_type = headers.get("content-type")
    etag = headers.get("x-symlink-target-etag", "").strip().strip('"')
    if etag:
        linked = await _linked(svc, caller, goal, etag)
        link |= {"etag": etag, "bytes": int(linked.headers.get("x-slo-size", linked.size))}
        if linked.kind == SLO:
            link["slo_etag"] = linked.headers["x-slo-etag"]
        content_type = content_type or linked.content_type
    root, md5 = await uploads.receive(svc, body, length=None, most=0, pool=row.policy)
    return await uploads.keep(
        svc,
        row,
        target,
        caller=caller,
        root=root,
        etag=md5,
        content_type=objects.clean_content_type(content_type or "application/symlink"),
        kept=metadata.object_headers(headers),
        expires=metadata.delete_at(headers, now_s=svc.now_s()),
        kind=SYMLINK,
        extra=orjson.dumps(link).decode(),
        replace="if-none-match" not in headers,
    )


async def _linked(svc: Services, caller: Caller, goal: Target, etag: str) -> Stored:
    """What a static link shall point to, behind further links. Raises 409 if it is not there or another."""
    try:
        return await objects.load(svc, caller, goal, raw=True, only_static=True, static=etag)
    except SwiftFault as fault:
        if fault.http_status != 404:
            raise
        raise SwiftFault(409, "X-Symlink-Target does not exist") from fault


def location(target: Target, headers: Mapping[str, str]) -> str:
    """Where a link that a PUT makes points, as a URL's path."""
    return resolve_link(target, headers["x-symlink-target"], headers.get("x-symlink-target-account")).url_path
