"""What other services ask: the roots of all objects (the collector's marks)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

import orjson
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Service, answer, internal_router
from synnefo_object.app import roots

router = internal_router()


def _read_cursor(text: str) -> tuple[int, int, str]:
    refused = BadRequest("`after` is not what an earlier answer gave as `next`.")
    try:
        found = orjson.loads(urlsafe_b64decode(text.encode()))
    except ValueError as error:
        raise refused from error
    match found:
        case [int(at), int(container_id), str(name)] if max(abs(at), abs(container_id)) < 1 << 63 and "\x00" not in name:
            return at, container_id, name
    raise refused


@router.get("/roots")
async def list_roots(
    request: Request,
    ctx: Service,
    *,
    pool: Annotated[str, Query(max_length=64)] = "",
    epoch: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(max_length=8192)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """Every object's and kept version's root in a pool (empty: the service's own store).

    Oldest data first, so that none is missed while objects are copied and deleted.
    """
    svc = request.app.state.services
    policy = svc.stores.policies.by_pool(pool)
    if policy is None:
        raise BadRequest(f"There is no pool {pool!r} here.")
    rows, following = await roots.page(svc, policy, after=_read_cursor(after) if after else None, limit=limit)
    cursor = urlsafe_b64encode(orjson.dumps(following)).decode() if following is not None else after
    listed = [{"id": name, "root": b64encode(root).decode()} for name, root in rows]
    said = {"roots": listed, "next": cursor, "complete": following is None, "epoch": epoch}
    return answer(said | ({"pool": pool, "store": roots.store_mark(policy.store_url)} if pool else {}))
