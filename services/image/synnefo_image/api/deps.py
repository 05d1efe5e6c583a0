"""What the routes share: the services, whose eyes, and what policy is asked about."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Row

from synnefo_common.web import Context, services
from synnefo_image.app.services import Services
from synnefo_image.domain.viewing import Viewer

Svc = Annotated[Services, Depends(services)]


def viewer_of(ctx: Context) -> Viewer:
    """The caller's eyes."""
    return Viewer(project_id=ctx.project_id, is_admin=ctx.is_admin)


def target_of(row: Row[Any], ctx: Context) -> dict[str, Any]:
    """What a rule about this image may look at."""
    target = {"project_id": row.owner, "owner": row.owner, "visibility": row.visibility}
    if row.member_status is not None:
        target["member_id"] = ctx.project_id
    return target
