"""What identity asks an issuer when a commission's lease has run out. Every service but identity has this route."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from synnefo_common.db import Database
from synnefo_common.quota import commission_state
from synnefo_common.web.answer import answer
from synnefo_common.web.app import internal_router
from synnefo_common.web.context import Service

CommissionId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]+$")]


def commission_routes(db: Database) -> APIRouter:
    """`GET /internal/v1/commissions/{id}`; see `quota.commission_state`."""
    router = internal_router()

    @router.get("/commissions/{commission_id}")
    async def show_commission(commission_id: CommissionId, _caller: Service) -> Response:
        """What became of a commission that this service issued. `unknown` is binding: it can no longer be accepted."""
        return answer({"state": await commission_state(db, commission_id)})

    return router
