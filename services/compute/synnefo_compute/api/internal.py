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

