"""The application factory: routes, error map, health, metrics and OpenAPI of a service in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import Response

from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.errors import Fault
from synnefo_common.ids import IdSource, RandomIds
from synnefo_common.log import AccessLog
from synnefo_common.policy import Policy
from synnefo_common.settings import ServiceSettings
from synnefo_common.web.answer import answer
from synnefo_common.web.dialects import Dialect, InternalDialect
from synnefo_common.web.dispatch import RouteTable
from synnefo_common.web.faults import to_fault
from synnefo_common.web.metrics import RequestMetrics
from synnefo_common.web.microversion import Microversions
from synnefo_common.web.middleware import ServiceMiddleware

ReadyCheck = Callable[[], Awaitable[str | None]]  # None, or why not
_INTERNAL = InternalDialect()


def internal_router(**kwargs: Any) -> APIRouter:
    """Routes for other services under `/internal/v1`; closed at the gateway."""
    return APIRouter(prefix="/internal/v1", tags=["internal"], **kwargs)


def create_service_app(
    *,
    name: str,
    dialect: Dialect,
    settings: ServiceSettings,
    services: Any,
    routers: Sequence[APIRouter],
    verifier: TokenVerifier,
    policy: Policy,
    ready_checks: Sequence[ReadyCheck] = (),
    microversions: Microversions | None = None,
    is_stream: Callable[[str, str], bool] = lambda _method, _path: False,
    strip_slash: bool = True,
    refuse_nul: bool = False,
    ids: IdSource | None = None,
    title: str | None = None,
) -> FastAPI:
    """A FastAPI application with everything that all services share. `services` is handed to the handlers."""
    metrics = RequestMetrics(name)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title=title or f"Synnefo {name}", version="0.1.0", docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        redirect_slashes=False, strict_content_type=False, lifespan=lifespan,
    )  # fmt: skip
    app.state.services = services
    app.state.settings = settings
    app.state.verifier = verifier
    app.state.policy = policy
    app.state.metrics = metrics
    dialect.auth_uri = settings.common.public_urls.get("identity", "") + "/v3"
    _add_error_map(app, dialect)
    all_routers = [_health_router(metrics.render, ready_checks), *routers]
    for router in all_routers:
        app.include_router(router)
    app.add_middleware(
        ServiceMiddleware, dialect=dialect, ids=ids or RandomIds(), metrics=metrics, max_body_bytes=settings.common.max_body_bytes,
        is_stream=is_stream, microversions=microversions, strip_slash=strip_slash, cors_origins=settings.cors_origins,
        refuse_nul=refuse_nul, table=RouteTable(all_routers), access_log=AccessLog(name),
    )  # fmt: skip
    return app


def _add_error_map(app: FastAPI, dialect: Dialect) -> None:
    def render(request: Request, fault: Fault) -> Response:
        chosen = _INTERNAL if request.url.path.startswith(("/internal/", "/admin/")) else dialect
        return chosen.render(fault, request_id=request.state.request_id)

    async def on_error(request: Request, error: Exception) -> Response:
        fault = to_fault(error)
        assert fault is not None
        return render(request, fault)

    app.add_exception_handler(Fault, on_error)
    app.add_exception_handler(RequestValidationError, on_error)
    app.add_exception_handler(HTTPException, on_error)


def create_worker_app(name: str, ready_checks: Sequence[ReadyCheck] = ()) -> FastAPI:
    """What a process without an API shows on its `worker_port`: health, and what the process counts."""
    app = FastAPI(title=f"Synnefo {name} worker", docs_url=None, redoc_url=None, openapi_url=None)

    async def render() -> bytes:
        return generate_latest()

    app.include_router(_health_router(render, ready_checks))
    return app


def _health_router(render: Callable[[], Awaitable[bytes]], ready_checks: Sequence[ReadyCheck]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> Response:
        """The process answers. Says nothing of what it depends on."""
        return answer({"status": "ok"})

    @router.get("/readyz", responses={503: {"description": "Something it needs is missing; the body names it."}})
    async def readyz(request: Request) -> Response:
        """All that the service needs answers, and the process is not about to stop."""
        why_not: Callable[[], str | None] = getattr(request.app.state, "why_not_ready", lambda: None)
        reasons = [reason] if (reason := why_not()) else []
        for check in ready_checks:
            try:
                reason = await check()
            except Exception as error:  # noqa: BLE001 - a check that fails is a reason
                reason = f"{type(error).__name__}: {error}"
            if reason:
                reasons.append(reason)
        return answer({"status": "not ready" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)

    @router.get("/metrics")
    async def show_metrics() -> Response:
        """Prometheus text."""
        return Response(await render(), media_type="text/plain; version=0.0.4")

    return router
