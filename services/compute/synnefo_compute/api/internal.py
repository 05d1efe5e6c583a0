"""What other services of the fleet ask compute."""

from __future__ import annotations

from starlette.responses import Response

from synnefo_common.web import Service, answer, internal_router
from synnefo_compute.api.base import Svc
from synnefo_compute.app import internal

router = internal_router()


@router.get("/servers/{server_id}")
async def show_server_facts(server_id: str, ctx: Service, svc: Svc) -> Response:
    """Whether a server lives: owners of ports and volumes ask before they clean up."""
    return answer(await internal.server_facts(svc, server_id))


@router.get("/servers")
async def list_server_facts(ctx: Service, svc: Svc) -> Response:
    """All live servers: the auditor compares them with Ganeti, the ledger, ports and volumes."""
    return answer({"servers": await internal.list_server_facts(svc)})


@router.get("/usage")
async def show_usage(ctx: Service, svc: Svc) -> Response:
    """What each project uses, counted from the rows: the auditor compares it with the ledger."""
    return answer({"usage": await internal.usage(svc)})


@router.get("/commissions/{commission_id}")
async def show_commission(commission_id: str, ctx: Service, svc: Svc) -> Response:
    """What became of a commission that compute asked for."""
    return answer({"state": await internal.commission_state(svc, commission_id)})


@router.get("/health/work")
async def show_work(ctx: Service, svc: Svc) -> Response:
    """Sagas, outbox and dead letters: what is under way, and since when."""
    return answer(await internal.work(svc))
