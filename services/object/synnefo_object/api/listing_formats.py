"""A listing as text, JSON or XML, encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import orjson

from synnefo_object.domain.errors import SwiftFault
from synnefo_object.domain.kinds import MARKER, SLO, SYMLINK
from synnefo_object.domain.paths import Target
from synnefo_object.domain.times import listing_date

JSON, XML, TEXT = "application/json", "application/xml", "text/plain"
_BY_NAME = {"json": JSON, "xml": XML, "plain": TEXT, "text": TEXT}
_OFFERED = {TEXT: TEXT, JSON: JSON, XML: XML, "text/xml": "text/xml"}
Entry = tuple[str | None, Any]


def choose(query: Mapping[str, str], accept: str | None) -> str:
    """The content type, by `format` or else by Accept. Raises 406."""
    wanted = query.get("format", "").lower()
    if wanted:
        return _BY_NAME.get(wanted, TEXT)
    if not accept:
        return TEXT
    best: tuple[float, int, str] | None = None
    for item in accept.split(","):
        kind, *params = [part.strip() for part in item.split(";")]
        quality = 1.0
        for param in params:
            if param.startswith("q="):
                try:
                    quality = float(param[2:])
                except ValueError:
                    raise SwiftFault(406) from None
        if quality <= 0:
            continue
        for rank, (offered, answer) in enumerate(_OFFERED.items()):
            exact = kind == offered
            if exact or kind == "*/*" or kind == offered.split("/", 1)[0] + "/*":
                candidate = (quality, (10 if exact else 0) - rank, answer)
                if best is None or candidate[:2] > best[:2]:
                    best = candidate
    if best is None:
        raise SwiftFault(406)
    return best[2]


def _object(row: Any, path: str = "") -> dict[str, Any]:
    """`path` is the container's."""
    name, size, etag, content_type, created_us, kind, extra, kept, versioned = row[:9]  # in the order of `db.listings`
    entry: dict[str, Any] = {
        "bytes": size,
        "content_type": content_type,
        "hash": etag,
        "last_modified": listing_date(created_us),
        "name": name,
    }
    if versioned and path:  # Swift keeps versions behind links, and its listings show it
        entry["version_symlink"] = True
        entry["symlink_path"] = f"{path}/{quote(name)}?version-id={created_us}"
    if kind == SLO:
        headers = orjson.loads(kept)
        entry["bytes"] = int(headers.get("x-slo-size", size))
        entry["slo_etag"] = f'"{headers.get("x-slo-etag", etag)}"'
    elif kind == SYMLINK:
        link = orjson.loads(extra or "{}")
        entry["symlink_path"] = Target(link["account"], link["container"], link["object"]).url_path
        if link.get("etag"):
            entry["symlink_etag"], entry["symlink_bytes"] = link["etag"], link.get("bytes", 0)
            if link.get("slo_etag"):
                entry["slo_etag"] = f'"{link["slo_etag"]}"'
    return entry


def require_json(query: Mapping[str, str], accept: str | None) -> None:
    """A listing of versions is JSON, whatever else may be asked for. Raises 406."""
    wanted = query.get("format", "").lower()
    if (wanted and wanted != "json") or not (wanted or _accepts_json(accept)):
        raise SwiftFault(406)


def _accepts_json(accept: str | None) -> bool:
    kinds = [item.split(";", 1)[0].strip() for item in (accept or "*/*").split(",")]
    return any(kind in (JSON, "application/*", "*/*") for kind in kinds)


def _version(row: Any, marker: str | None) -> dict[str, Any]:
    *_, is_null, is_latest = row
    # Behind a marker Swift no longer tells that a version of that very name is the latest; its tests say so.
    is_known = is_latest and (is_null or row.kind == MARKER or row.name != marker)
    return _object(row) | {"version_id": "null" if is_null else str(row.created_us), "is_latest": bool(is_known)}


def render_versions(entries: Iterable[Entry], *, marker: str | None) -> bytes:
    """As JSON."""
    return orjson.dumps([{"subdir": folder} if folder is not None else _version(row, marker) for folder, row in entries])


def _container(row: Any, _path: str) -> dict[str, Any]:
    return {
        "bytes": int(row.bytes),
        "count": int(row.objects),
        "last_modified": listing_date(row.modified_us),
        "name": row.name,
    }


def render(kind: str, target: Target, entries: Iterable[Entry]) -> bytes:
    """The containers of an account, or the objects of a container."""
    if kind == TEXT:
        return "".join(f"{folder if folder is not None else row.name}\n" for folder, row in entries).encode()
    path = target.url_path
    shape: Callable[[Any, str], dict[str, Any]] = _object if target.container else _container
    if kind == JSON:
        return orjson.dumps([{"subdir": folder} if folder is not None else shape(row, path) for folder, row in entries])
    root, root_name, element = ("container", target.container, "object") if target.container else ("account", target.account, "container")
    order = ("name", "hash", "bytes", "content_type", "last_modified") if target.container else ("name", "count", "bytes", "last_modified")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>\n', f"<{root} name={quoteattr(root_name)}>"]
    for folder, row in entries:
        if folder is not None:
            lines.append(f"<subdir name={quoteattr(folder)}><name>{escape(folder)}</name></subdir>")
        else:
            shown = shape(row, path)
            lines.append(f"<{element}>" + "".join(f"<{k}>{escape(str(shown[k]))}</{k}>" for k in order) + f"</{element}>")
    lines.append(f"</{root}>")
    return "".join(lines).encode()
