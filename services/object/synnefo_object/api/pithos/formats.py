"""Bodies and headers as Pithos writes them. No decisions here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, quoteattr

import orjson

from synnefo_object.api.listing_formats import JSON, TEXT, XML, choose
from synnefo_object.api.request import SwiftRequest
from synnefo_object.app.pithos import sharing
from synnefo_object.app.pithos.containers import View, policy
from synnefo_object.app.stored import Stored
from synnefo_object.domain.pithos import WRITE, write_sharing
from synnefo_object.domain.times import listing_date, timestamp

_PLAIN = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def format_of(request: SwiftRequest, default: str = TEXT) -> str:
    """What the answer is to be written in."""
    if "format" not in request.query and "accept" not in request.headers:
        return default
    kind = choose(request.query, request.headers.get("accept"))
    return XML if kind == "text/xml" else kind


def headers_in(request: SwiftRequest) -> dict[str, str]:
    """The headers with metadata as it is kept: dashes in names, values without percent-encoding."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        if name.startswith(("x-object-meta-", "x-container-meta-", "x-account-meta-")):
            found[name.replace("_", "-")] = unquote(value, errors="surrogateescape")
        else:
            found[name] = value
    return found


def quoted(value: str) -> str:
    """A header's value in ASCII."""
    return quote(value, safe=_PLAIN, errors="surrogateescape")


def metadata_out(headers: Mapping[str, str], level: str) -> dict[str, str]:
    prefix = f"x-{level}-meta-"
    return {name: quoted(value) for name, value in headers.items() if name.startswith(prefix)}


def strings(kind: str, items: Sequence[str]) -> bytes:
    """A list of hashes."""
    if kind == JSON:
        return orjson.dumps(items)
    if kind == XML:
        return (_XML + "<items>" + "".join(f"<item>{escape(item)}</item>" for item in items) + "</items>").encode()
    return "".join(f"{item}\n" for item in items).encode()


def hashmap(kind: str, name: str, stored: Stored, hashes: Sequence[str], block_size: int) -> bytes:
    if kind == XML:
        head = f'<object name={quoteattr(name)} bytes="{stored.size}" block_size="{block_size}" block_hash="sha256">'
        return (_XML + head + "".join(f"<hash>{hash_}</hash>" for hash_ in hashes) + "</object>").encode()
    return orjson.dumps({"block_hash": "sha256", "block_size": block_size, "bytes": stored.size, "hashes": hashes})


def versions(kind: str, name: str, found: Iterable[tuple[int, int]]) -> bytes:
    if kind == XML:
        rows = "".join(f'<version timestamp="{timestamp(us)}">{version}</version>' for version, us in found)
        return f"{_XML}<object name={quoteattr(name)}>{rows}</object>".encode()
    return orjson.dumps({"versions": [[version, timestamp(us)] for version, us in found]})


def _object(row: Any, view: View, *, public_prefix: str, is_owner: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": row.name,
        "bytes": row.size,
        "hash": row.etag,
        "content_type": row.content_type,
        "x_object_hash": row.hash or "",
        "x_object_uuid": row.uuid or sharing.stored_uuid(row.container_id, row.name),
        "x_object_version": row.created_us,
        "x_object_version_timestamp": timestamp(row.created_us),
        "x_object_modified_by": row.modified_by,
    }
    if view.until_us is not None:
        return entry
    entry["last_modified"] = listing_date(row.modified_us) + "+00:00"
    own = view.shared.get(row.name)
    if own is not None and view.is_whole:
        entry["x_object_sharing"] = write_sharing(own.modes)
    if not is_owner:
        mode = sharing.mode_of(view.shared, row.name, view.who) if view.who is not None else 1
        entry["x_object_allowed_to"] = "write" if mode == WRITE else "read"
    if is_owner and row.name in view.links:
        entry["x_object_public"] = public_prefix + view.links[row.name]
    return entry


def object_list(kind: str, container: str, view: View, *, public_prefix: str, is_owner: bool) -> bytes:
    """A container's objects and pseudo-folders."""
    if kind == TEXT:
        return "".join(f"{folder if folder is not None else row.name}\n" for folder, row in view.entries).encode()
    rows = [
        {"subdir": folder} if folder is not None else _object(row, view, public_prefix=public_prefix, is_owner=is_owner)
        for folder, row in view.entries
    ]
    if kind == JSON:
        return orjson.dumps(rows)
    lines = [f"{_XML}<container name={quoteattr(container)}>"]
    for row in rows:
        if "subdir" in row:
            lines.append(f"<subdir name={quoteattr(row['subdir'])}><name>{escape(row['subdir'])}</name></subdir>")
        else:
            lines.append("<object>" + "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in row.items()) + "</object>")
    return "\n".join([*lines, "</container>"]).encode()


def container_list(kind: str, account: str, view: View) -> bytes:
    """An account's containers. Others are told no figures."""
    if kind == TEXT:
        return "".join(f"{row.name}\n" for row in view.entries).encode()
    rows = []
    for row in view.entries:
        entry: dict[str, Any] = {"name": row.name, "last_modified": listing_date(row.modified_us) + "+00:00"}
        if view.is_whole:
            entry |= {"bytes": int(row.bytes), "count": int(row.objects), "x_container_policy": policy(orjson.loads(row.headers))}
        if view.until_us is not None:
            entry["x_container_until_timestamp"] = timestamp(int(row.changed_us or 0))
        rows.append(entry)
    if kind == JSON:
        return orjson.dumps(rows)
    lines = [f"{_XML}<account name={quoteattr(account)}>"]
    for entry in rows:
        rules = entry.pop("x_container_policy", None)
        body = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in entry.items())
        if rules is not None:
            body += "<x_container_policy>" + "".join(f"<key>{k}</key><value>{escape(v)}</value>" for k, v in rules.items()) + "</x_container_policy>"
        lines.append(f"<container>{body}</container>")
    return "\n".join([*lines, "</account>"]).encode()


def account_list(kind: str, rows: Sequence[Any]) -> bytes:
    """Accounts that share something."""
    if kind == TEXT:
        return "".join(f"{row.project_id}\n" for row in rows).encode()
    found = [{"name": row.project_id, "last_modified": listing_date(row.created_us) + "+00:00"} for row in rows]
    if kind == JSON:
        return orjson.dumps(found)
    body = "".join(f"<account><name>{escape(a['name'])}</name><last_modified>{a['last_modified']}</last_modified></account>" for a in found)
    return f"{_XML}<accounts>{body}</accounts>".encode()
