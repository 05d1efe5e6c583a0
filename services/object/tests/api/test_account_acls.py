"""X-Account-Access-Control: what an account's ACL opens to others, and what not."""

import httpx
import orjson
import pytest

from synnefo_common.testing import Harness

A = f"/v1/AUTH_{Harness.project_id}"
HEADER = "X-Account-Access-Control"
BY_ID = {
    "project": Harness.other_project_id,
    "user": Harness.other_user_id,
    "pair": f"{Harness.other_project_id}:{Harness.other_user_id}",
    "any user": f"{Harness.other_project_id}:*",
    "any project": f"*:{Harness.other_user_id}",
}


async def grant(me: httpx.AsyncClient, **lists: list[str]) -> httpx.Response:
    return await me.post(A, headers={HEADER: orjson.dumps({k.replace("_", "-"): v for k, v in lists.items()}).decode()})


async def works(client: httpx.AsyncClient) -> list[str]:
    """What of it all the client may do."""
    calls = {
        "list account": ("GET", A),
        "list container": ("GET", f"{A}/c"),
        "get": ("GET", f"{A}/c/o"),
        "put": ("PUT", f"{A}/c/p"),
        "post": ("POST", f"{A}/c/o"),
        "put container": ("PUT", f"{A}/d"),
        "post container": ("POST", f"{A}/c"),
        "delete container": ("DELETE", f"{A}/d"),
        "post account": ("POST", A),
    }
    found = []
    for name, (method, path) in calls.items():
        r = await client.request(method, path)
        assert r.status_code < 300 or r.status_code in (401, 403), (name, r.status_code)
        found += [name] if r.status_code < 300 else []
    return found


READS = ["list account", "list container", "get"]
WRITES = [*READS, "put", "post", "put container", "post container", "delete container"]


@pytest.mark.parametrize("identity", BY_ID)
async def test_each_level_opens_what_it_says(h: Harness, identity: str) -> None:
    me, other = h.as_member(), h.as_project()
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"1")
    assert await works(other) == []
    for lists, expected in (({"read_only": [BY_ID[identity]]}, READS), ({"read_write": [BY_ID[identity]]}, WRITES)):
        assert (await grant(me, **lists)).status_code == 204
        assert await works(other) == expected
        assert await works(h.anonymous()) == []
    await grant(me, admin=[BY_ID[identity]])
    assert await works(other) == [*WRITES, "post account"]
    await me.post(A, headers={HEADER: ""})
    assert await works(other) == []


async def test_only_owners_see_it_and_what_is_private(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    await me.put(f"{A}/c", headers={"X-Container-Read": ".r:*"})
    await grant(me, read_write=[Harness.other_project_id], admin=[])
    assert (await me.head(A)).headers[HEADER] == orjson.dumps({"read-write": [Harness.other_project_id]}).decode()
    assert HEADER not in (await other.head(A)).headers
    assert "x-container-read" not in (await other.head(f"{A}/c")).headers
    await other.post(f"{A}/c", headers={"X-Container-Read": "", "X-Container-Meta-A": "1"})
    head = (await me.head(f"{A}/c")).headers
    assert (head["x-container-read"], head["x-container-meta-a"]) == (".r:*", "1")
    await grant(me, admin=[Harness.other_project_id])
    assert HEADER in (await other.head(A)).headers


async def test_copy_between_accounts_asks_both(h: Harness) -> None:
    me, other = h.as_member(), h.as_project()
    theirs = f"/v1/AUTH_{Harness.other_project_id}"
    await me.put(f"{A}/c")
    await me.put(f"{A}/c/o", content=b"mine")
    await other.put(f"{theirs}/c")
    headers = {"X-Copy-From": "c/o", "X-Copy-From-Account": A.removeprefix("/v1/"), "Content-Length": "0"}
    assert (await other.put(f"{theirs}/c/o", headers=headers)).status_code == 403
    await grant(me, read_only=[Harness.other_user_id])
    assert (await other.put(f"{theirs}/c/o", headers=headers)).status_code == 201
    back = {"Destination": "c/back", "Destination-Account": A.removeprefix("/v1/")}
    assert (await other.request("COPY", f"{theirs}/c/o", headers=back)).status_code == 403
    await grant(me, read_write=[Harness.other_user_id])
    assert (await other.request("COPY", f"{theirs}/c/o", headers=back)).status_code == 201


@pytest.mark.parametrize("bad", ["x", "[]", '{"other": []}', '{"admin": "a"}', '{"admin": [1]}'])
async def test_malformed_is_refused(h: Harness, bad: str) -> None:
    r = await h.as_member().post(A, headers={HEADER: bad})
    assert (r.status_code, r.text.startswith("X-Account-Access-Control invalid: ")) == (400, True)
