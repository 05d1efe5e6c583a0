"""All routes of an application, however its routers are nested."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """(method, path template) of every route of ours; HEAD beside GET is left out."""
    found = set()
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.path is not None:
            methods = route.original_route.methods or set()
            found |= {(m, route.path) for m in methods if m != "HEAD" or "GET" not in methods}
    return found
