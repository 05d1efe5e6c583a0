"""Members as callers send and see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from synnefo_common.clock import iso


class MemberCreate(BaseModel):
    """Body: whom to share with."""

    model_config = ConfigDict(strict=True)

    member: str


class MemberUpdate(BaseModel):
    """Body: what the member thinks of it."""

    model_config = ConfigDict(strict=True)

    status: str


def member_view(member: Mapping[str, Any]) -> dict[str, Any]:
    """A membership as Glance shows it."""
    return {
        "member_id": member["member_id"],
        "image_id": member["image_id"],
        "status": member["status"],
        "created_at": iso(member["created_at"]),
        "updated_at": iso(member["updated_at"]),
        "schema": "/v2/schemas/member",
    }
