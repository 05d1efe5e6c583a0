"""/admin/v1/address-history: who had an address of an external network when. Administrators only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from synnefo_common.clock import MICROS, parse_iso
from synnefo_common.errors import BadRequest
from synnefo_common.web import Ctx, answer
from synnefo_network.api.base import ERRORS, Svc
from synnefo_network.app import address_history
from synnefo_network.domain.addresses import parse_ip
from synnefo_network.domain.errors import PolicyNotAuthorized

router = APIRouter(prefix="/admin/v1/address-history", tags=["address history"], responses=ERRORS)
Id = Annotated[str | None, Query(max_length=64)]
Time = Annotated[str | None, Query(max_length=64, description="As 2026-11-22T10:00:00Z.")]


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid input for {name}: {ascii(text)[:40]} is not a time; use 2026-11-22T10:00:00Z.") from None


@router.get("")
async def list_address_history(  # noqa: PLR0917 - FastAPI reads the query off the parameters
    ctx: Ctx,
    svc: Svc,
    ip_address: Id = None,
    project_id: Id = None,
    port_id: Id = None,
    device_id: Id = None,
    at: Time = None,
    since: Time = None,
    until: Time = None,
    limit: Annotated[int, Query(ge=1, le=10000)] = 1000,
) -> Response:
    """Who had it: by address, project, port or server, at a time or within a span; newest first."""
    if not ctx.may("get_address_history"):
        raise PolicyNotAuthorized("get_address_history")
    asked = {"project_id": project_id, "port_id": port_id, "device_id": device_id}
    equal = {name: value for name, value in asked.items() if value is not None}
    if any("\0" in value for value in equal.values()):
        raise BadRequest("NUL characters are not allowed.")
    if ip_address is not None:
        equal["ip_address"] = str(parse_ip(ip_address))
    moment = _time("at", at)
    # A moment is the second that it names: times are given and shown in whole seconds.
    span = (_time("since", since), _time("until", until)) if moment is None else (moment, moment + MICROS - 1)
    found = await address_history.list_history(svc, equal=equal, since=span[0], until=span[1], limit=limit)
    return answer({"address_history": found})
