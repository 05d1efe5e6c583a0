"""`GET /admin/v1/audit`: what a service knows, for the auditor (`synnefo audit`). Read-only, for administrators of the cloud."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.db.engine import Database
from synnefo_common.db.work import work_under_way
from synnefo_common.errors import Forbidden
from synnefo_common.web.answer import answer
from synnefo_common.web.context import Ctx

PATH = "/admin/v1/audit"


def audit_router(db: Database, facts: Callable[[], Awaitable[dict[str, Any]]]) -> APIRouter:
    """A router with the one route. `facts` gives the service's own part, e.g. `{"usage": {project: {resource: n}}, …}`."""
    router = APIRouter(tags=["audit"])

    @router.get(PATH)
    async def show_audit_facts(ctx: Ctx) -> Response:
        """Counted usage, rows to compare with other services, and the work under way."""
        if not ctx.is_admin:
            raise Forbidden("Only an administrator may audit.", code="policy.denied")
        return answer({**await facts(), "work": await work_under_way(db)})

    return router
