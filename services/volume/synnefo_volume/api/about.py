"""/v3/{project_id}/extensions, /os-availability-zone, /os-services, pools and capabilities: what is here."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from synnefo_common.errors import NotFound
from synnefo_common.web import answer, read_bool
from synnefo_volume.api.deps import PREFIX, ProjectCtx, Svc
from synnefo_volume.api.schemas.volumes import HOST, time_view

router = APIRouter(prefix=PREFIX, tags=["about"])
_EXTENSIONS = {
    "os-admin-actions": ("AdminActions", "Actions of administrators."),
    "os-availability-zone": ("AvailabilityZones", "Describe availability zones."),
    "os-extended-snapshot-attributes": ("ExtendedSnapshotAttributes", "Progress and project of snapshots."),
    "capabilities": ("Capabilities", "What the back end can."),
    "os-quota-class-sets": ("QuotaClasses", "Management of default quotas."),
    "os-quota-sets": ("Quotas", "Quota management."),
    "scheduler-stats": ("Scheduler_stats", "The pools."),
    "os-services": ("Services", "Services support."),
    "os-snapshot-actions": ("SnapshotActions", "Actions of snapshots."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Extra specs of volume types."),
    "os-types-manage": ("TypesManage", "Management of volume types."),
    "os-used-limits": ("UsedLimits", "Limited resources that are used."),
    "os-vol-host-attr": ("VolumeHostAttribute", "The host of a volume."),
    "os-vol-image-meta": ("VolumeImageMetadata", "The image metadata of a volume."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "The migration status of a volume."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "The project of a volume."),
    "os-volume-actions": ("VolumeActions", "Actions of volumes."),
    "os-volume-type-access": ("VolumeTypeAccess", "Access to volume types."),
}


def _extension(alias: str) -> dict[str, Any]:
    name, description = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "updated": "2026-11-22T00:00:00Z", "links": []}


@router.get("/extensions")
async def list_extensions(ctx: ProjectCtx) -> Response:
    """The extensions that are whole."""
    return answer({"extensions": [_extension(alias) for alias in _EXTENSIONS]})


@router.get("/extensions/{alias}")
async def show_extension(alias: str, ctx: ProjectCtx) -> Response:
    """One extension."""
    if alias not in _EXTENSIONS:
        raise NotFound(f"Extension {alias[:64]} could not be found.")
    return answer({"extension": _extension(alias)})


@router.get("/os-availability-zone")
async def list_availability_zones(ctx: ProjectCtx, svc: Svc) -> Response:
    """The one zone."""
    zone = {"zoneName": svc.settings.availability_zone, "zoneState": {"available": True}}
    return answer({"availabilityZoneInfo": [zone]})


_BACKEND = {"volume_backend_name": "archipelago", "vendor_name": "Synnefo", "driver_version": "1", "storage_protocol": "archipelago"}


@router.get("/scheduler-stats/get_pools")
async def list_pools(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """The one pool, all of the block store; how large that is only the operator knows."""
    ctx.require("scheduler_extension:scheduler_stats:get_pools")
    pool: dict[str, Any] = {"name": HOST}
    if read_bool(request.query_params.get("detail"), name="detail"):
        pool["capabilities"] = _BACKEND | {
            "total_capacity_gb": "unknown",
            "free_capacity_gb": "unknown",
            "reserved_percentage": 0,
            "QoS_support": False,
            "timestamp": time_view(svc.clock.now_us()),
        }
    return answer({"pools": [pool]})


@router.get("/capabilities/{host}")
async def show_capabilities(host: str, ctx: ProjectCtx) -> Response:
    """What volume types may ask of the back end: nothing more than to be there."""
    ctx.require("volume_extension:capabilities")
    if host not in (HOST, HOST.partition("#")[0]):
        raise NotFound(f"Host {host[:64]} could not be found.")
    return answer(
        _BACKEND
        | {
            "namespace": f"OS::Storage::Capabilities::{HOST}",
            "pool_name": None,
            "display_name": None,
            "description": None,
            "visibility": None,
            "properties": {},
            "replication_targets": [],
        }
    )


@router.get("/os-services")
async def list_services(ctx: ProjectCtx, svc: Svc) -> Response:
    """The volume service itself: it answers, so it is up."""
    ctx.require("volume_extension:services:index")
    service = {
        "binary": "cinder-volume",
        "host": "synnefo@archipelago",
        "zone": svc.settings.availability_zone,
        "status": "enabled",
        "state": "up",
        "updated_at": time_view(svc.clock.now_us()),
        "disabled_reason": None,
    }
    return answer({"services": [service]})
