"""What the Pithos tests share: the account in both spellings, a client's hashing, shorthands."""

import hashlib

import httpx

from synnefo_common.testing import Harness

P = f"/v1/{Harness.project_id}"
S = f"/v1/AUTH_{Harness.project_id}"
OTHER = f"/v1/{Harness.other_project_id}"
B = 4 << 20
DATA = {"Content-Type": "application/octet-stream"}
DIRECTORY = {"Content-Type": "application/directory"}


def block_hashes(data: bytes) -> list[str]:
    """As a client computes them."""
    return [hashlib.sha256(data[at : at + B].rstrip(b"\0")).hexdigest() for at in range(0, len(data), B)]


def object_hash(data: bytes) -> str:
    """Pithos' hash of a whole object, computed apart from the library."""
    level = [bytes.fromhex(h) for h in block_hashes(data)]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    width = 1
    while width < len(level):
        width *= 2
    level += [bytes(32)] * (width - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0].hex()


def hashmap_of(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "block_size": B, "block_hash": "sha256", "hashes": block_hashes(data)}


async def put(me: httpx.AsyncClient, path: str, data: bytes = b"data", **headers: str) -> httpx.Response:
    answer = await me.put(path, content=data, headers={"Content-Type": "text/plain"} | {n.replace("_", "-"): v for n, v in headers.items()})
    assert answer.status_code == 201, (answer.status_code, answer.text)
    return answer


async def names(me: httpx.AsyncClient, path: str) -> list[str]:
    """A listing's names, pseudo-folders too."""
    answer = await me.get(path + ("&" if "?" in path else "?") + "format=json")
    assert answer.status_code == 200, (answer.status_code, answer.text)
    return [row.get("name") or row["subdir"] for row in answer.json()]
