"""The services that keep roots in the block store, as the collector asks them."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from synnefo_common.errors import Unavailable
from synnefo_common.http import ServiceClient

PAGE = 1000


async def list_roots(peer: ServiceClient, *, epoch: int, after: str, pool: str = "", store: str = "") -> dict[str, Any]:
    """A page of the peer's roots: `roots`, `next`, `complete`; in a pool, if one is named.

    Raises Unavailable if the peer does not speak of that pool in the store of this mark.
    """
    of_pool = f"&pool={quote(pool)}" if pool else ""
    page: dict[str, Any] = await peer.get(f"/internal/v1/roots?epoch={epoch}&after={quote(after)}&limit={PAGE}{of_pool}", timeout_s=60)
    if pool and (page.get("pool"), page.get("store")) != (pool, store):
        raise Unavailable(f"The pool {pool} is another store for the service that owns it: compare the settings.")
    return page


async def replace_root(peer: ServiceClient, ident: str, *, old: bytes, new: bytes, key: str) -> bool:
    """Exchange a root that is still the old one; False when it is not, or when nothing of that id is left."""
    body = {"id": ident, "old": base64.b64encode(old).decode(), "new": base64.b64encode(new).decode()}
    answer: dict[str, Any] = await peer.post("/internal/v1/roots/replace", body, key=key)
    return bool(answer["replaced"])
