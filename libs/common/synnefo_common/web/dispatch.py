"""The short way from a request to its handler: FastAPI declares and documents the routes, this calls the plain ones.

A plain route has parameters in path, query and headers, dependencies that are plain themselves, and at most one JSON body
with a model: nearly all of ours. For these FastAPI's own way (two walks over all routes, three exit stacks, a dependency solver)
costs several times what the handlers do. Everything else, and every request that no plain route takes, goes FastAPI's way;
so do the answers 404 and 405.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.convertors import PathConvertor, StringConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_Solver = Callable[[Request, dict[Any, Any]], Awaitable[Any]]
_MOST_SEGMENTS = 16


class RouteTable:
    """Routes in their order, found by the number and the first words of a path's segments."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        routes = [route for router in routers for route in router.routes]
        strange = next((i for i, route in enumerate(routes) if not isinstance(route, APIRoute)), len(routes))
        # From a router within a router on, the order is FastAPI's to know.
        self._routes = [_Route(route) for route in routes[:strange] if isinstance(route, APIRoute)]
        self._words = frozenset(word for route in self._routes for word in route.segments[:2])
        self._candidates: dict[tuple[int, str, str], list[_Route]] = {}

    def find(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        """The call of the plain route for this request, None if it is for FastAPI."""
        path: str = scope["path"]
        segments = path.split("/", 3)
        second = segments[2] if len(segments) > 2 and segments[2] in self._words else ""
        key = (min(path.count("/"), _MOST_SEGMENTS), segments[1] if segments[1] in self._words else "", second)
        candidates = self._candidates.get(key)
        if candidates is None:
            candidates = self._candidates[key] = [route for route in self._routes if route.may_match(key)]
        for route in candidates:
            match = route.regex.match(path)
            if match is None or scope["method"] not in route.methods:
                continue
            if route.solve is None or not route.takes(scope):
                return None
            scope["path_params"] = match.groupdict()
            scope["route"] = route.route
            scope["endpoint"] = route.route.endpoint
            return route.call
        return None


class _Route:
    def __init__(self, route: APIRoute) -> None:
        self.route = route
        self.regex = route.path_regex
        self.methods = frozenset(route.methods or ())
        self.segments = [_word(segment) for segment in route.path.split("/")[1:]]
        self.is_open = any(isinstance(c, PathConvertor) for c in route.param_convertors.values())
        self.has_body = bool(route.dependant.body_params)
        self.solve = _plain(route)

    def may_match(self, key: tuple[int, str, str]) -> bool:
        """Whether a path of that many segments, with these words first ("" for none that any route has), can be ours."""
        count, *words = key
        if not self.is_open and len(self.segments) != count:
            return False
        return all(mine in ("", word) for mine, word in zip(self.segments, words, strict=False))

    def takes(self, scope: Scope) -> bool:
        """JSON, or a body of no stated type, which is taken for JSON."""
        if not self.has_body:
            return True
        kind = next((v for k, v in scope["headers"] if k == b"content-type"), None)
        return kind is None or kind.partition(b";")[0].strip().lower() == b"application/json"

    async def call(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.solve is not None
        response: Response = await self.solve(Request(scope, receive, send), {})
        await response(scope, receive, send)


def _word(segment: str) -> str:
    return "" if "{" in segment else segment


def _plain(route: APIRoute) -> _Solver | None:
    """The call of a plain route; None for another."""
    if any(not isinstance(c, StringConvertor | PathConvertor) for c in route.param_convertors.values()):
        return None
    if route.response_field is not None or route.stream_item_field is not None or len(route.dependant.body_params) > 1:
        return None
    body = None
    if route.dependant.body_params:
        body = route.dependant.body_params[0]
        if route._embed_body_fields or type(body.field_info) is not Body:
            return None
    return _solver(route.dependant, body)


def _solver(dependant: Dependant, body: Any = None) -> _Solver | None:
    """A function's call with everything it asks for, or None if it asks for more than a plain route may."""
    call: Any = dependant.call
    asks_more = (
        dependant.cookie_params, dependant.websocket_param_name, dependant.http_connection_param_name, dependant.response_param_name,
        dependant.background_tasks_param_name, dependant.security_scopes_param_name, dependant.body_params and body is None,
    )  # fmt: skip
    if any(asks_more) or isasyncgenfunction(call) or not iscoroutinefunction(call):
        return None
    is_text = all(p.field_info.annotation is str and not p.field_info.metadata for p in dependant.path_params)
    texts = [(p.name, p.alias) for p in dependant.path_params] if is_text else []
    checked: list[tuple[Any, Callable[[Request], Any]]] = [
        (fields, get)
        for fields, get in (
            ([] if is_text else dependant.path_params, _path_of), (dependant.query_params, _query_of), (dependant.header_params, _headers_of),
        )
        if fields
    ]  # fmt: skip
    parts: list[tuple[str | None, Any, _Solver]] = []
    for one in dependant.dependencies:
        solver = _solver(one)
        if solver is None:
            return None
        parts.append((one.name, one.call, solver))
    request_name = dependant.request_param_name
    body_name = body.name if body is not None else None

    async def solve(request: Request, known: dict[Any, Any]) -> Any:
        values: dict[str, Any] = {}
        for name, key, part in parts:
            if key in known:
                value = known[key]
            else:
                value = known[key] = await part(request, known)
            if name is not None:
                values[name] = value
        for name, alias in texts:
            values[name] = request.path_params[alias]
        if checked:
            _check(checked, request, values)
        if request_name is not None:
            values[request_name] = request
        if body_name is not None:
            values[body_name] = await _read_body(request, body)
        return await call(**values)

    return solve


def _path_of(request: Request) -> Any:
    return request.path_params


def _query_of(request: Request) -> Any:
    return request.query_params


def _headers_of(request: Request) -> Any:
    return request.headers


def _check(checked: Any, request: Request, values: dict[str, Any]) -> None:
    """Parameters with types. Raises RequestValidationError."""
    found: list[Any] = []
    for fields, get in checked:
        some, errors = request_params_to_args(fields, get(request))
        values.update(some)
        found += errors
    if found:
        raise RequestValidationError(found)


async def _read_body(request: Request, field: Any) -> Any:
    """The body as its model. Raises RequestValidationError with the same words as FastAPI."""
    text = await request.body()
    if not text:
        if not field.field_info.is_required():
            return field.get_default()
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    try:
        data = json.loads(text)  # not orjson, which makes floats of huge integers
    except (ValueError, RecursionError) as error:
        place = getattr(error, "pos", 0)
        detail = {"type": "json_invalid", "loc": ("body", place), "msg": "JSON decode error", "input": {}, "ctx": {"error": str(error)}}
        raise RequestValidationError([detail]) from error
    value, errors = field.validate(data, {}, loc=("body",))
    if errors:
        raise RequestValidationError(errors, body=data)
    return value
