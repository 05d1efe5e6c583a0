"""Volumes as callers send and see them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from synnefo_common.clock import iso
from synnefo_common.web import Context
from synnefo_volume.api.schemas.common import LooseBool, Metadata, Name, SizeGib, Text, Uuid
from synnefo_volume.app.volumes import Found

HOST = "synnefo@archipelago#archipelago"


class VolumeBody(BaseModel):
    """What a volume is to be; unknown attributes are passed over, as in Cinder 3.0."""

    model_config = ConfigDict(extra="ignore")

    size: SizeGib | None = None
    name: Name | None = None
    description: Text | None = None
    display_name: Name | None = None
    display_description: Text | None = None
    volume_type: Text | None = None
    availability_zone: Text | None = None
    metadata: Metadata | None = None
    snapshot_id: Uuid | None = None
    source_volid: Uuid | None = None
    consistencygroup_id: Uuid | None = None
    imageRef: Text | None = None
    image_id: Text | None = None
    multiattach: LooseBool | None = None


class VolumeCreate(BaseModel):
    """Body of a create call."""

    model_config = ConfigDict(extra="ignore")

    volume: VolumeBody


class VolumeChange(BaseModel):
    """What can be changed."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Text | None = None
    display_name: Name | None = None
    display_description: Text | None = None
    metadata: Metadata | None = None


class VolumeUpdate(BaseModel):
    """Body of an update call."""

    model_config = ConfigDict(extra="forbid")

    volume: VolumeChange


def links(base: str, project_id: str, kind: str, item_id: str) -> list[dict[str, str]]:
    """Self and bookmark."""
    return [
        {"rel": "self", "href": f"{base}/v3/{project_id}/{kind}/{item_id}"},
        {"rel": "bookmark", "href": f"{base}/{project_id}/{kind}/{item_id}"},
    ]


def time_view(us: int | None) -> str | None:
    """A time as Cinder writes it: no zone, microseconds."""
    return iso(us, micros=True, zone=False)


def summary(found: Found, *, base: str, project_id: str) -> dict[str, Any]:
    """The short form."""
    row = found.row
    return {"id": row.id, "name": row.name, "links": links(base, project_id, "volumes", row.id)}


def detail(found: Found, ctx: Context, *, base: str, with_extensions: bool = True) -> dict[str, Any]:
    """The long form; create and update answer it without the extensions' keys."""
    row = found.row
    metadata = dict(row.metadata)
    if row.is_readonly is not None:
        metadata["readonly"] = str(row.is_readonly)
    view: dict[str, Any] = {
        "id": row.id,
        "status": row.status,
        "size": row.size_gib,
        "availability_zone": row.availability_zone,
        "created_at": time_view(row.created_at),
        "updated_at": time_view(row.updated_at),
        "name": row.name,
        "description": row.description,
        "volume_type": row.volume_type,
        "snapshot_id": row.snapshot_id,
        "source_volid": row.source_volid,
        "metadata": metadata,
        "links": links(base, ctx.project, "volumes", row.id),
        "user_id": row.user_id,
        "bootable": str(row.is_bootable).lower(),
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": False,
        "attachments": _attachments(found, ctx),
    }
    if ctx.is_admin:
        view["migration_status"] = None
    if with_extensions:
        view["os-vol-tenant-attr:tenant_id"] = row.project_id
        if row.image_metadata is not None:
            view["volume_image_metadata"] = row.image_metadata
        if ctx.is_admin:
            view |= {
                "os-vol-host-attr:host": HOST,
                "os-vol-mig-status-attr:migstat": None,
                "os-vol-mig-status-attr:name_id": None,
            }
    return view


def _attachments(found: Found, ctx: Context) -> list[dict[str, Any]]:
    held = found.attachment
    if held is None:
        return []
    return [
        {
            "id": held.volume_id,
            "attachment_id": held.id,
            "volume_id": held.volume_id,
            "server_id": held.server_id,
            "host_name": held.host_name if ctx.is_admin or "service" in ctx.roles else None,
            "device": held.device_name,
            "attached_at": time_view(held.attached_at),
        }
    ]
