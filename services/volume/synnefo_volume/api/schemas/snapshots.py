"""Snapshots as callers send and see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from synnefo_volume.api.schemas.common import LooseBool, Metadata, Name, Text, Uuid
from synnefo_volume.api.schemas.volumes import time_view


class SnapshotBody(BaseModel):
    """What is to be taken."""

    model_config = ConfigDict(extra="forbid")

    volume_id: Uuid | None
    name: Name | None = None
    display_name: Name | None = None
    description: Text | None = None
    display_description: Text | None = None
    force: LooseBool | None = None
    metadata: Metadata | None = None


class SnapshotCreate(BaseModel):
    """Body of a create call."""

    model_config = ConfigDict(extra="forbid")

    snapshot: SnapshotBody


class SnapshotChange(BaseModel):
    """What can be changed."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Text | None = None
    display_name: Name | None = None
    display_description: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> SnapshotChange:
        if not self.model_fields_set:
            raise ValueError("name or description is required")
        return self


class SnapshotUpdate(BaseModel):
    """Body of an update call."""

    model_config = ConfigDict(extra="forbid")

    snapshot: SnapshotChange


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """The short form."""
    return {
        "id": row["id"],
        "created_at": time_view(row["created_at"]),
        "updated_at": time_view(row["updated_at"]),
        "name": row["name"],
        "description": row["description"],
        "volume_id": row["volume_id"],
        "status": row["status"],
        "size": row["size_gib"],
        "metadata": row["metadata"],
    }


def detail(row: Mapping[str, Any]) -> dict[str, Any]:
    """The long form."""
    progress = "100%" if row["status"] == "available" else row["progress"] or "0%"
    return summary(row) | {
        "os-extended-snapshot-attributes:progress": progress,
        "os-extended-snapshot-attributes:project_id": row["project_id"],
    }
