"""/v3/{project_id}/os-quota-sets, /os-quota-class-sets and /limits: the ledger as Cinder shows it."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import answer, empty, read_bool
from synnefo_volume.api.deps import PREFIX, ProjectCtx, Svc
from synnefo_volume.app import quotas

router = APIRouter(prefix=PREFIX, tags=["quotas"])
MAX_INT = 2**31 - 1
_IGNORED = ("tenant_id", "project_id", "force", "id", "skip_validation")


class QuotaUpdate(BaseModel):
    """Body: limits by name."""

    model_config = ConfigDict(extra="forbid")

    quota_set: dict[str, Any]


class QuotaClassUpdate(BaseModel):
    """Body: default limits by name."""

    model_config = ConfigDict(extra="forbid")

    quota_class_set: dict[str, Any]


def _check_id(project_id: str) -> str:
    if "\x00" in project_id or not 1 <= len(project_id) <= 255:
        raise BadRequest("The project id in the URL is not valid.")
    return project_id


@router.get("/os-quota-sets/{quota_project_id}")
async def show_quota_set(quota_project_id: str, request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Limits; with `usage=True` what is used too."""
    ctx.require("volume_extension:quotas:show", {"project_id": quota_project_id})
    found = await quotas.show_quotas(svc, _check_id(quota_project_id))
    quota_set: dict[str, Any] = {name: h.limit for name, h in found.items()}
    if read_bool(request.query_params.get("usage"), name="usage"):
        quota_set = {name: {"limit": h.limit, "in_use": h.used, "reserved": h.reserved} for name, h in found.items()}
    return answer({"quota_set": {"id": quota_project_id, **quota_set}})


@router.get("/os-quota-sets/{quota_project_id}/defaults")
async def show_default_quota_set(quota_project_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """The limits of projects without their own."""
    ctx.require("volume_extension:quotas:show", {"project_id": quota_project_id})
    return answer({"quota_set": {"id": _check_id(quota_project_id), **await quotas.default_quotas(svc)}})


@router.put("/os-quota-sets/{quota_project_id}")
async def set_quota_set(quota_project_id: str, body: QuotaUpdate, ctx: ProjectCtx, svc: Svc) -> Response:
    """Set limits."""
    ctx.require("volume_extension:quotas:update", {"project_id": quota_project_id})
    limits = {name: _limit(name, value) for name, value in body.quota_set.items() if name not in _IGNORED}
    if not body.quota_set:
        raise BadRequest("quota_set must have at least one limit.")
    found = await quotas.set_quotas(svc, _check_id(quota_project_id), limits)
    return answer({"quota_set": {name: h.limit for name, h in found.items()}})


def _limit(name: str, value: Any) -> int:
    if name not in (*quotas.LEDGER, *quotas.EXTRAS):
        raise BadRequest(f"Bad key(s) in quota set: {name[:64]}")
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= MAX_INT:
        raise BadRequest(f"Invalid input for field/attribute {name}. Value: {str(value)[:40]}. It must be from -1 to {MAX_INT}.")
    return value


@router.delete("/os-quota-sets/{quota_project_id}")
async def reset_quota_set(quota_project_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """Back to the defaults."""
    ctx.require("volume_extension:quotas:update", {"project_id": quota_project_id})
    await quotas.reset_quotas(svc, _check_id(quota_project_id))
    return empty(200)


@router.get("/os-quota-class-sets/{quota_class}")
async def show_quota_class(quota_class: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """The default limits: there is one class, `default`."""
    ctx.require("volume_extension:quota_classes:get")
    return answer({"quota_class_set": {"id": _check_class(quota_class), **await quotas.default_quotas(svc)}})


@router.put("/os-quota-class-sets/{quota_class}")
async def set_quota_class(quota_class: str, body: QuotaClassUpdate, ctx: ProjectCtx, svc: Svc) -> Response:
    """Set default limits."""
    ctx.require("volume_extension:quota_classes:update")
    _check_class(quota_class)
    limits = {name: _limit(name, value) for name, value in body.quota_class_set.items() if name not in _IGNORED}
    return answer({"quota_class_set": await quotas.set_default_quotas(svc, limits)})


def _check_class(quota_class: str) -> str:
    if quota_class != "default":
        raise NotFound(f"Quota class {quota_class[:64]} could not be found.")
    return quota_class


@router.get("/limits")
async def show_limits(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Limits and usage of the project (an administrator may name another)."""
    wanted = request.query_params.get("project_id") or request.query_params.get("tenant_id") or ctx.project
    project_id = _check_id(wanted) if ctx.is_admin else ctx.project
    ctx.require("limits_extension:used_limits", {"project_id": project_id})
    found = await quotas.show_quotas(svc, project_id)
    absolute = {
        "totalSnapshotsUsed": found["snapshots"].used,
        "maxTotalBackups": found["backups"].limit,
        "maxTotalVolumeGigabytes": found["gigabytes"].limit,
        "maxTotalSnapshots": found["snapshots"].limit,
        "maxTotalBackupGigabytes": found["backup_gigabytes"].limit,
        "totalBackupGigabytesUsed": found["backup_gigabytes"].used,
        "maxTotalVolumes": found["volumes"].limit,
        "totalVolumesUsed": found["volumes"].used,
        "totalBackupsUsed": found["backups"].used,
        "totalGigabytesUsed": found["gigabytes"].used,
    }
    return answer({"limits": {"rate": [], "absolute": absolute}})
