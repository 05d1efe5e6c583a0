"""The manifest of a static large object: what a client sends, checked against what is there, and kept."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson

from synnefo_object.app import quotas, segments, uploads
from synnefo_object.app.access import Caller
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.app.uploads import Uploaded
from synnefo_object.domain import metadata
from synnefo_object.domain.errors import SwiftFault, bad_request
from synnefo_object.domain.kinds import SLO
from synnefo_object.domain.limits import MAX_SLO_SEGMENTS
from synnefo_object.domain.paths import Target
from synnefo_object.domain.times import listing_date

_KEYS = {"path", "etag", "size_bytes", "range"}
_RANGE = re.compile(r"(\d{0,15})-(\d{0,15})")


def parse(body: bytes) -> list[dict[str, Any]]:
    """The parts as sent. Raises 400, 413."""
    try:
        parts = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("Manifest must be valid JSON.\n") from None
    if not isinstance(parts, list):
        raise bad_request("Manifest must be a list.\n")
    problems: list[str] = []
    if not any(isinstance(p, dict) and "path" in p for p in parts):
        raise bad_request("Manifest must have at least one segment that names an object.\n" if parts else "Manifest is empty.\n")
    if sum(1 for p in parts if isinstance(p, dict) and "path" in p) > MAX_SLO_SEGMENTS:
        raise SwiftFault(413, f"Number of object-backed segments must be <= {MAX_SLO_SEGMENTS}")
    for index, part in enumerate(parts):
        problem = _problem(part)
        if problem:
            problems.append(f"Index {index}: {problem}")
    if problems:
        raise bad_request("\n".join(problems) + "\n")
    return parts


def _problem(part: Any) -> str | None:
    if not isinstance(part, dict):
        return "not a JSON object"
    if "data" in part:
        if set(part) != {"data"}:
            return "a part with data has no other keys"
        try:
            return None if isinstance(part["data"], str) and b64decode(part["data"], validate=True) else "inline data must not be empty"
        except (Base64Error, ValueError):
            return "data must be valid base64"
    unknown = set(part) - _KEYS
    if unknown:
        return f"extraneous keys {', '.join(sorted(unknown))}"
    path, etag, size, range_ = (part.get(k) for k in ("path", "etag", "size_bytes", "range"))
    if not isinstance(path, str) or "/" not in path.strip("/") or not path.lstrip("/").partition("/")[2]:
        return "path does not refer to an object; path must be of the form /container/object"
    if "\x00" in path or not metadata.is_clean(path):
        return "path must be valid UTF-8"
    if etag is not None and not isinstance(etag, str):
        return "etag must be a string"
    if size is not None and not (isinstance(size, int) or (isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 19)):
        return "size_bytes must be a number"
    if range_ is not None and (not isinstance(range_, str) or not _RANGE.fullmatch(range_) or range_ == "-"):
        return "invalid range"
    return None


class BadSegments(SwiftFault):
    """400: segments that are not as the manifest says, each with what is wrong."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(400, "Errors:\n" + "".join(f"{path}, {problem}\n" for path, problem in errors))
        self.errors = errors


async def check_parts(svc: Services, caller: Caller, target: Target, given: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The parts as they are kept, and the size of the whole. Raises BadSegments."""
    refused: dict[str, SwiftFault] = {}
    found = await segments.find_segments(svc, caller, target, [_path(p) for p in given if "path" in p], refused=refused)
    parts: list[dict[str, Any]] = []
    errors: list[tuple[str, str]] = []
    for part in given:
        if "data" in part:
            parts.append({"data": part["data"]})
            continue
        path = _path(part)
        fault = refused.get(path)
        if fault is not None:
            errors.append((quote(part["path"]), "403 Forbidden" if fault.http_status == 403 else "401 Unauthorized"))
            continue
        kept, problem = _check(svc, part, path, found.get(path), target)
        if problem:
            errors.append((quote(part["path"]), problem))
        else:
            parts.append(kept)
    if errors:
        raise BadSegments(errors)
    return parts, sum(segments.part_length(part) for part in parts)


async def put(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], body: bytes) -> Uploaded:
    """Check every segment, keep the manifest. Raises BadSegments, 422."""
    row = await uploads.ready(svc, caller, target, headers)
    parts, size = await check_parts(svc, caller, target, parse(body))
    etag = segments.slo_etag(parts)
    expected = headers.get("etag")
    if expected and expected.strip().strip('"').lower() != etag:
        raise SwiftFault(422)
    text = orjson.dumps(parts)
    kept_headers = metadata.object_headers(headers) | {"x-slo-size": str(size), "x-slo-etag": etag}
    most = await quotas.room(svc, caller, target, row, replaced=row.size if row.root is not None else None)
    async with quotas.reserve(svc, caller, quotas.payer(target, row), len(text)) as reservation:
        root, md5 = await uploads.receive(svc, _once(text), length=len(text), most=most, pool=row.policy)
        kept_headers["x-slo-manifest-etag"] = md5
        uploaded = await uploads.keep(
            svc,
            row,
            target,
            caller=caller,
            root=root,
            etag=md5,
            content_type=uploads.choose_content_type(target.object, headers),
            kept=kept_headers,
            expires=metadata.delete_at(headers, now_s=svc.now_s()),
            kind=SLO,
            extra=text.decode(),
            reservation=reservation,
            replace="if-none-match" not in headers,
        )
    return replace(uploaded, etag=etag)


async def _once(data: bytes) -> Any:
    yield data


def _path(part: Mapping[str, Any]) -> str:
    return "/" + str(part["path"]).lstrip("/")


def _check(svc: Services, part: Mapping[str, Any], path: str, stored: Stored | None, target: Target) -> tuple[dict[str, Any], str | None]:
    if path == f"/{target.container}/{target.object}":
        return {}, "manifest file must not be one of its own segments"
    if stored is None or stored.is_expired(svc.now_s()):
        return {}, "404 Not Found"
    is_slo = stored.kind == SLO
    etag = stored.headers.get("x-slo-etag", "") if is_slo else stored.etag
    size = int(stored.headers.get("x-slo-size", "0")) if is_slo else stored.size
    if part.get("size_bytes") is not None and int(part["size_bytes"]) != size:
        return {}, "Size Mismatch"
    if part.get("etag") and part["etag"].strip('"').lower() != etag:
        return {}, "Etag Mismatch"
    if size == 0:
        return {}, "Too small; each segment must be at least 1 byte."
    kept: dict[str, Any] = {
        "name": path,
        "hash": etag,
        "bytes": size,
        "content_type": stored.content_type,
        "last_modified": listing_date(stored.created_us),
    }
    if is_slo:
        kept["sub_slo"] = True
    if part.get("range"):
        match = _RANGE.fullmatch(part["range"])
        assert match is not None
        if match[1]:
            start, end = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
        else:
            start, end = max(0, size - int(match[2])), size - 1
        if start >= size or end < start:
            return {}, "Unsatisfiable Range"
        if (start, end) != (0, size - 1):
            kept["range"] = f"{start}-{end}"
    return kept, None


def raw_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A kept part in the form that a PUT takes."""
    if "data" in part:
        return {"data": part["data"]}
    raw = {"path": part["name"], "etag": part["hash"], "size_bytes": part["bytes"]}
    return raw | {"range": part["range"]} if part.get("range") else raw


async def segment_paths(svc: Services, caller: Caller, target: Target, extra: str, *, depth: int = 0) -> list[str]:
    """The objects that a manifest is made of, those of inner manifests too."""
    paths: list[str] = []
    for part in orjson.loads(extra):
        if "name" not in part:
            continue
        if part.get("sub_slo") and depth < 10:
            inner = (await segments.find_segments(svc, caller, target, [part["name"]])).get(part["name"])
            if inner is not None and inner.kind == SLO:
                paths += await segment_paths(svc, caller, target, inner.extra or "[]", depth=depth + 1)
        paths.append(part["name"])
    return list(dict.fromkeys(paths))
