"""`POST /admin/v1/reconcile`: run a service's reconcilers now, or show what they would do. For `synnefo reconcile`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from synnefo_common.errors import BadRequest, Forbidden
from synnefo_common.reconcile import Reconciler
from synnefo_common.web.answer import answer
from synnefo_common.web.context import Ctx

PATH = "/admin/v1/reconcile"
_REPORT = "Report"  # how actions are named that change nothing


class ReconcileBody(BaseModel):
    """What to run. `names`: these alone, and what runs by request only; default: all that run by period."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False
    names: list[str] = Field([], max_length=100)


def reconcile_router(reconcilers: Sequence[Reconciler[Any, Any]], *, by_request: Sequence[Reconciler[Any, Any]] = ()) -> APIRouter:
    """A router with the one route. Those in `by_request` are run only when they are named."""
    router = APIRouter(tags=["reconcile"])
    known = {r.name: r for r in (*reconcilers, *by_request)}

    @router.post(PATH)
    async def run_reconcilers(body: ReconcileBody, ctx: Ctx) -> Response:
        """Each action with its outcome: done, failed, reported, or planned in a dry run.

        May run beside the service's own runs: actions are safe to repeat. What must have been seen for a while before it is
        touched is counted from the first time that this process saw it.
        """
        if not ctx.is_admin:
            raise Forbidden("Only an administrator may reconcile.", code="policy.denied")
        unknown = sorted(set(body.names) - known.keys())
        if unknown:
            raise BadRequest(f"names: there is no reconciler {unknown[0]!r} here, but {', '.join(sorted(known))}.", code="reconcile.unknown")
        chosen = [known[name] for name in dict.fromkeys(body.names)] if body.names else list(reconcilers)
        return answer({"reconcilers": [{"name": r.name, "actions": await _run(r, dry_run=body.dry_run)} for r in chosen]})

    return router


async def _run(reconciler: Reconciler[Any, Any], *, dry_run: bool) -> list[dict[str, Any]]:
    found = []
    for action in await reconciler.look():
        kind = type(action).__name__
        outcome = "planned" if dry_run else "done" if await reconciler.act(action) else "failed"
        if kind.startswith(_REPORT) and outcome != "failed":
            outcome = "reported"
        found.append({"action": kind, "outcome": outcome, **asdict(action)})
    return found
