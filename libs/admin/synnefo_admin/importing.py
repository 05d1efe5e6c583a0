"""`synnefo storage import`: takes an original Synnefo's images and objects over, out of its pools and through the APIs.

Objects go in by hashmap, so only blocks that are not there are sent, and the store computes every hash anew. Nothing in
the old pools is changed.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from synnefo_admin.cloud import Cloud, CloudError, refusal
from synnefo_archipelago.errors import StoreError
from synnefo_archipelago.hashing import ZERO_HASH, block_hash, merkle, significant_length
from synnefo_archipelago.legacy import FilePool, LegacyMap, LegacyPool, LegacyPools, RadosPool, read_map
from synnefo_archipelago.legacy.maps import LegacyBlock
from synnefo_common.errors import Fault
from synnefo_common.http import HttpAnswer

BLOCK_SIZE = 4 << 20
COLUMNS = ("kind", "map", "size", "project", "container", "name", "content_type")
PROPERTY = "imported_map"
_SIDE_BY_SIDE = 4
_GIB = 1 << 30
OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be taken over, and where it goes. `properties` are an image's."""

    kind: str
    map: str
    size: int | None
    project: str
    container: str
    name: str
    content_type: str
    properties: Mapping[str, str]


@dataclass(slots=True)
class Outcome:
    """`state`: imported, there (from an earlier run), readable (dry run), failed."""

    kind: str
    map: str
    project: str
    name: str
    size: int = 0
    sent_bytes: int = 0
    state: str = "failed"
    why: str = ""


def open_pools(maps: str, blocks: str) -> LegacyPools:
    """Of maps and of blocks. Raises CloudError."""
    try:
        return LegacyPools(_open_pool(maps), _open_pool(blocks))
    except StoreError as error:
        raise CloudError(str(error)) from error


def _open_pool(url: str) -> LegacyPool:
    """`file:///srv/archip/blocks` or `rados:///etc/ceph/ceph.conf?pool=blocks&user=admin`. Raises CloudError."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.scheme == "file" and Path(parts.path).is_dir():
        return FilePool(parts.path)
    if parts.scheme == "rados" and "pool" in query:
        return RadosPool(parts.path, query["pool"], user=query.get("user", "admin"))
    raise CloudError(f"{url}: give the old pool as file:///its/directory or rados:///path/of/ceph.conf?pool=NAME")


def read_list(path: Path) -> list[Line]:
    """A CSV file with the columns of `COLUMNS`, and more for an image's properties. Raises CloudError with the line."""
    lines = []
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in ("kind", "map", "project", "name") if name not in (rows.fieldnames or ())]
        if missing:
            raise CloudError(f"{path}: there is no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")
        for number, row in enumerate(rows, 2):
            try:
                lines.append(_line(row))
            except ValueError as error:
                raise CloudError(f"{path}, line {number}: {error}") from None
    return lines


def _line(row: Mapping[str | None, Any]) -> Line:
    if None in row or None in row.values():
        raise ValueError("it does not have as many fields as there are columns")
    value = {name: str(text).strip() for name, text in row.items() if name is not None}
    if value["kind"] not in ("object", "image"):
        raise ValueError(f"kind is {value['kind']!r}: it must be object or image (a volume or snapshot comes as an image)")
    if value["kind"] == "object" and not value.get("container"):
        raise ValueError("an object needs a container")
    for needed in ("map", "project", "name"):
        if not value[needed]:
            raise ValueError(f"{needed} is empty")
    properties = {name: text for name, text in value.items() if name not in COLUMNS and text}
    size = int(value["size"]) if value.get("size") else None
    return Line(
        value["kind"], value["map"], size, value["project"], value.get("container", ""), value["name"],
        value.get("content_type") or "application/octet-stream", properties,
    )  # fmt: skip


async def take_over(cloud: Cloud, pools: LegacyPools, lines: list[Line], *, dry_run: bool, on_bytes: OnBytes) -> AsyncIterator[Outcome]:
    """One outcome for each line, in order. What fails is told and does not stop the rest."""
    for line in lines:
        outcome = Outcome(line.kind, line.map, line.project, line.name)
        try:
            legacy = await asyncio.to_thread(read_map, pools.maps, line.map, size=line.size)
            outcome.size = legacy.size
            blocks = await asyncio.to_thread(list, legacy.blocks())
            source = Source(legacy, blocks, pools.blocks)
            if dry_run:
                outcome.state = "readable"
            elif line.kind == "object":
                await _import_object(cloud, line, source, outcome, on_bytes)
            else:
                await _import_image(cloud, line, source, outcome, on_bytes)
        except (StoreError, CloudError, Fault, ValueError) as error:
            outcome.why = f"{type(error).__name__}: {error}"
        yield outcome


@dataclass(frozen=True, slots=True)
class Source:
    """An old map with the blocks that it names."""

    legacy: LegacyMap
    blocks: list[LegacyBlock | None]
    pool: LegacyPool

    def read(self, number: int) -> bytes:
        """A block's data without the zeros at its end, cut where the map ends. Raises CloudError for what is not what it should be."""
        block = self.blocks[number]
        if block is None:
            return b""
        data = self.pool.read(block.name)
        if data is None:
            raise CloudError(f"block {block.name} is missing")
        if len(data) > self.legacy.block_size:
            raise CloudError(f"block {block.name} has {len(data)} bytes")
        if block.digest is not None and block_hash(memoryview(data)[: significant_length(data)]) != block.digest:
            raise CloudError(f"block {block.name} is not what its name says")
        data = data[: min(self.legacy.block_size, self.legacy.size - number * self.legacy.block_size)]
        return data[: significant_length(data)]

    def hash(self, number: int) -> bytes:
        """Of what `read` gives; read only where the name does not tell."""
        block = self.blocks[number]
        if block is None:
            return ZERO_HASH
        is_whole = (number + 1) * self.legacy.block_size <= self.legacy.size
        return block.digest if block.digest is not None and is_whole else block_hash(self.read(number))


async def _import_object(cloud: Cloud, line: Line, source: Source, outcome: Outcome, on_bytes: OnBytes) -> None:
    if source.legacy.block_size != BLOCK_SIZE:
        raise CloudError(f"map {line.map} has blocks of {source.legacy.block_size} bytes; objects have {BLOCK_SIZE}: take it over as an image")
    container = f"/v1/{quote(line.project, safe='')}/{quote(line.container, safe='')}"
    path = f"{container}/{quote(line.name)}"
    await _expect(cloud, "PUT", container, 201, 202)
    hashes = await asyncio.to_thread(lambda: [source.hash(n) for n in range(len(source.blocks))])
    head = await cloud.ask("object", "HEAD", path)
    if head.status == 200 and head.headers.get("x-object-hash") == merkle(hashes).hex() and head.headers.get("content-length") == str(outcome.size):
        outcome.state = "there"
        on_bytes(outcome.size)
        return
    hashmap = {"block_hash": "sha256", "block_size": BLOCK_SIZE, "bytes": outcome.size, "hashes": [h.hex() for h in hashes]}

    async def offer() -> HttpAnswer:
        content = json.dumps(hashmap).encode()
        return await cloud.ask("object", "PUT", f"{path}?hashmap&format=json", content=content, content_type=line.content_type)

    answer = await offer()
    if answer.status == 409:
        where = {h.hex(): n for n, h in enumerate(hashes)}
        await _send_blocks(cloud, container, source, {hash_: where[hash_] for hash_ in answer.json()}, outcome)
        answer = await offer()
    if answer.status != 201:
        raise refusal("PUT", path, answer)
    on_bytes(outcome.size)
    outcome.state = "imported"


async def _send_blocks(cloud: Cloud, container: str, source: Source, missing: Mapping[str, int], outcome: Outcome) -> None:
    """`missing`: hash → the number of a block that has it."""
    left = iter(missing.items())

    async def send() -> None:
        for hash_, number in left:
            data = await asyncio.to_thread(source.read, number)
            answer = await cloud.ask("object", "POST", f"{container}?update&format=json", content=data)
            if answer.status != 202:
                raise refusal("POST", container, answer)
            if answer.json() != [hash_]:
                raise CloudError(f"block {number} came out as {answer.json()}, not as {hash_}: it was damaged on the way")
            outcome.sent_bytes += len(data)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(send())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _import_image(cloud: Cloud, line: Line, source: Source, outcome: Outcome, on_bytes: OnBytes) -> None:
    query = f"/v2/images?owner={quote(line.project, safe='')}&{PROPERTY}={quote(line.map, safe='')}"
    for image in (await cloud.call("image", "GET", query))["images"]:
        if image["status"] == "active":
            outcome.state = "there"
            on_bytes(outcome.size)
            return
        await _expect(cloud, "DELETE", f"/v2/images/{image['id']}", 204, 404, service="image")
    defaults: dict[str, Any] = {"disk_format": "raw", "container_format": "bare", "visibility": "private", "min_disk": -(-outcome.size // _GIB)}
    body = defaults | dict(line.properties) | {"name": line.name, "owner": line.project, PROPERTY: line.map}
    image = await cloud.call("image", "POST", "/v2/images", body)

    async def data() -> AsyncIterator[bytes]:
        for number in range(len(source.blocks)):
            piece = await asyncio.to_thread(source.read, number)
            length = min(source.legacy.block_size, source.legacy.size - number * source.legacy.block_size)
            yield piece.ljust(length, b"\0")
            outcome.sent_bytes += length
            on_bytes(length)

    answer = await cloud.ask("image", "PUT", f"/v2/images/{image['id']}/file", content=data())
    if answer.status != 204:
        raise refusal("PUT", f"/v2/images/{image['id']}/file", answer)
    outcome.state = "imported"


async def _expect(cloud: Cloud, method: str, path: str, *statuses: int, service: str = "object") -> None:
    answer = await cloud.ask(service, method, path)
    if answer.status not in statuses:
        raise refusal(method, path, answer)
