"""Discovery. Open to everyone: clients ask before they have a token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from synnefo_common.errors import NotFound
from synnefo_common.web import Ctx, answer
from synnefo_compute.api.base import Svc

router = APIRouter(tags=["versions"])
MINIMUM = MAXIMUM = "2.1"
UPDATED = "2013-07-23T11:33:21Z"
NAMESPACE = "https://docs.openstack.org/api-ref/compute/"


def version(url: str) -> dict[str, Any]:
    """The version document of v2.1."""
    return {
        "id": "v2.1", "status": "CURRENT", "version": MAXIMUM, "min_version": MINIMUM, "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{url}/"}],
    }  # fmt: skip


@router.get("/")
async def list_versions(svc: Svc) -> Response:
    """All versions."""
    return answer({"versions": [version(svc.url)]})


@router.get("/v2.1")
@router.get("/v2.1/", include_in_schema=False)
async def show_version(svc: Svc) -> Response:
    """The one version."""
    media = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]
    document = version(svc.url)
    document["links"].append({"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/api-ref/compute/"})
    return answer({"version": {**document, "media-types": media}})


_EXTENSIONS = (
    ("os-availability-zone", "AvailabilityZone"), ("os-keypairs", "Keypairs"), ("os-quota-sets", "Quotas"), ("os-hypervisors", "Hypervisors"),
    ("os-instance-actions", "InstanceActions"), ("os-volumes", "Volumes"), ("os-attach-interfaces", "AttachInterfaces"),
    ("os-extended-volumes", "ExtendedVolumes"), ("os-flavor-access", "FlavorAccess"), ("os-flavor-extra-specs", "FlavorExtraSpecs"),
    ("os-flavor-manage", "FlavorManage"), ("os-console-output", "ConsoleOutput"), ("os-used-limits", "UsedLimits"),
    ("os-server-usage", "ServerUsage"), ("os-extended-status", "ExtendedStatus"), ("os-services", "Services"),
    ("os-server-groups", "ServerGroups"), ("os-simple-tenant-usage", "SimpleTenantUsage"),
)  # fmt: skip


def _extension(alias: str, name: str) -> dict[str, Any]:
    return {"alias": alias, "name": name, "description": f"{name} support.", "links": [], "namespace": NAMESPACE, "updated": "2014-12-03T00:00:00Z"}


@router.get("/v2.1/extensions")
async def list_extensions(ctx: Ctx) -> Response:
    """What is there beyond the core."""
    ctx.require("os_compute_api:extensions")
    return answer({"extensions": [_extension(*e) for e in _EXTENSIONS]})


@router.get("/v2.1/extensions/{alias}")
async def show_extension(alias: str, ctx: Ctx) -> Response:
    """One extension."""
    ctx.require("os_compute_api:extensions")
    for known in _EXTENSIONS:
        if known[0] == alias:
            return answer({"extension": _extension(*known)})
    raise NotFound(f"Extension {alias[:60]} could not be found.")
