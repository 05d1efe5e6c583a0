"""Links into this service, as the client sees it: through a gateway it is under another scheme and a path."""

from __future__ import annotations

from fastapi import Request


def outer_root(request: Request) -> str:
    """Where the service begins for whoever asked, without a slash at the end; a gateway says by X-Forwarded-Proto and -Prefix."""
    scheme = request.headers.get("x-forwarded-proto") or request.url.scheme
    prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{scheme}://{request.url.netloc}{prefix}"
