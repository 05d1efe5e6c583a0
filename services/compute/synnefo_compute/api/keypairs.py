"""Keypairs at 2.1."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import StringConstraints
from starlette.responses import Response

from synnefo_common.clock import iso
from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty
from synnefo_compute.api.base import CLEAN_QUERY, StrictBody, Svc, Text
from synnefo_compute.app import keypairs

router = APIRouter(prefix="/v2.1/os-keypairs", tags=["keypairs"], dependencies=[CLEAN_QUERY])
_NAME = r"[ \w-]{1,255}"


class KeypairCreate(StrictBody):
    """`keypair`. At 2.1 the name holds letters, digits, blanks, `_` and `-`; dots came with 2.92."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    public_key: Annotated[Text, StringConstraints(max_length=65535)] | None = None


class KeypairBody(StrictBody):
    """POST os-keypairs."""

    keypair: KeypairCreate


def _user(request: Request, ctx: Context) -> str:
    """The user whose keys are meant; another's only for administrators."""
    other = request.query_params.get("user_id")
    ctx.require("os_compute_api:os-keypairs")
    if other and other != ctx.user_id:
        ctx.require("os_compute_api:os-keypairs:admin")
        return other
    return ctx.user_id


@router.get("")
async def list_keypairs(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """One's keypairs."""
    rows = await keypairs.list_keypairs(svc, user_id=_user(request, ctx))
    shown = [{"keypair": {"name": r.name, "public_key": r.public_key, "fingerprint": r.fingerprint}} for r in rows]
    return answer({"keypairs": shown})


@router.post("")
async def create_keypair(body: KeypairBody, ctx: Ctx, svc: Svc) -> Response:
    """Import or make a keypair."""
    ctx.require("os_compute_api:os-keypairs")
    name = body.keypair.name
    if not re.fullmatch(_NAME, name, flags=re.ASCII) or name != name.strip():
        raise BadRequest("Keypair data is invalid: Keypair name contains unsafe characters")
    row, private = await keypairs.create_keypair(svc, name, body.keypair.public_key, user_id=ctx.user_id, project_id=ctx.project)
    shown = {k: row[k] for k in ("name", "public_key", "fingerprint", "user_id")}
    if private is not None:
        shown["private_key"] = private
    return answer({"keypair": shown})


@router.get("/{name}")
async def show_keypair(name: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """One keypair."""
    row = await keypairs.show_keypair(svc, name, user_id=_user(request, ctx))
    shown = {
        "id": row.id, "name": row.name, "public_key": row.public_key, "fingerprint": row.fingerprint, "user_id": row.user_id,
        "created_at": iso(row.created_at, micros=True, zone=False), "updated_at": None, "deleted": False, "deleted_at": None,
    }  # fmt: skip
    return answer({"keypair": shown})


@router.delete("/{name}", status_code=202)
async def delete_keypair(name: str, request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Remove a keypair."""
    await keypairs.delete_keypair(svc, name, user_id=_user(request, ctx))
    return empty(202)
