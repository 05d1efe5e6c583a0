"""Any mix of Pithos' methods, parameters and headers with values that make no sense: never the server's error."""

import random

from services.object.tests.pithos import DATA, P, S, names, put

from synnefo_common.testing import Harness

VALUES = [
    "", "0", "1", "-1", "x", "%00", "%FF", "é", "*", "/", "//", "/c/o", "/c/dir", "c", "/c/", "'\"<>&", "9" * 30, "1e400", "nan", "true", "list",
    "bytes */*", "bytes 0-/*", "bytes 0-3/*", "bytes 2-1/*", "read=*", "write=a;read=b", "application/octet-stream", "application/directory",
    "multipart/form-data", "auto", "none", "a" * 300, "[", "\\", "%", "!a", "a>=b", "json", "xml", "1700000000.5", "a,b",
]  # fmt: skip
QUERIES = [
    "hashmap", "version", "until", "update", "meta", "shared", "public", "delimiter", "prefix", "path", "limit", "marker", "format",
    "ignore_content_type", "disposition-type", "X-Auth-Token",
]  # fmt: skip
HEADERS = [
    "Content-Type", "Content-Range", "X-Object-Sharing", "X-Object-Public", "X-Object-Bytes", "X-Source-Object", "X-Source-Account",
    "X-Source-Version", "X-Copy-From", "X-Move-From", "Destination", "Destination-Account", "If-Match", "If-None-Match", "X-Object-Meta-A",
    "X-Object-Meta-", "X-Object-Manifest", "X-Container-Policy-Quota", "X-Container-Policy-Versioning", "X-Container-Policy-Project",
    "X-Container-Policy-", "X-Container-Meta-A", "ETag", "X-Account-Group-A", "X-Account-Group-", "X-Account-Meta-A", "Content-Encoding",
    "X-Delete-After", "Range", "Accept", "If-Range",
]  # fmt: skip
METHODS = ["GET", "HEAD", "PUT", "POST", "COPY", "MOVE", "DELETE"]
BODIES = [b"", b"abcd", b'{"bytes": 4, "hashes": []}', b'{"bytes": 0, "hashes": []}', b"<object bytes='1'/>", b"\xff\x00"]


async def test_no_mix_of_calls_is_the_servers_error(h: Harness) -> None:
    rng = random.Random(20)
    clients = [h.as_member(), h.as_member(), h.as_project(), h.anonymous()]
    seen: dict[int, int] = {}
    for turn in range(1500):
        if turn % 25 == 0:
            await h.as_member().put(f"{P}/c")
            await put(h.as_member(), f"{P}/c/o", b"data")
            await put(h.as_member(), f"{P}/c/dir/o", b"data", X_Object_Sharing=f"write={h.other_user_id}")
        path = rng.choice([P, S]) + rng.choice(
            ["", "/c", "/c", "/c/o", "/c/o", "/c/o", "/c/dir", "/c/dir/o", "/none", "/none/o", "/c/%FF", "/c/a%00b"]
        )
        path = rng.choice([path] * 20 + ["/v1/", "/v1", "/public/x", "/public/", "/v1/-/c", "/v1/" + "x" * 100 + "/c/o"])
        params = {name: rng.choice(VALUES) for name in rng.sample(QUERIES, rng.randrange(4))}
        headers = {name.encode(): rng.choice(VALUES).encode() for name in rng.sample(HEADERS, rng.randrange(4))}
        if rng.random() < 0.3:
            headers[b"Content-Type"] = DATA["Content-Type"].encode()
        method, body = rng.choice(METHODS), rng.choice(BODIES)
        answer = await rng.choice(clients).request(method, path, params=params, headers=headers, content=body)
        assert answer.status_code < 500, (turn, method, path, params, headers, body, answer.text)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
    assert {200, 201, 202, 204, 400, 401, 403, 404, 409, 411, 412} <= set(seen), seen
    await names(h.as_member(), f"{P}/c")
