"""POST /v3/{project_id}/volumes/{id}/action: one table of actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, answer, empty, parse
from synnefo_volume.api.deps import PREFIX, ActionBody, ProjectCtx, Svc
from synnefo_volume.api.schemas import actions as bodies
from synnefo_volume.api.schemas.volumes import time_view
from synnefo_volume.api.volumes import load
from synnefo_volume.app import volume_actions as use
from synnefo_volume.app import volumes
from synnefo_volume.app.services import Services
from synnefo_volume.domain.errors import InvalidInput, MetadataNotFound
from synnefo_volume.domain.states import SETTABLE, Status

router = APIRouter(prefix=PREFIX + "/volumes", tags=["volume actions"])
Do = Callable[[Services, Context, volumes.Found, Any], Awaitable[Any]]
_ACTIONS = "volume_extension:volume_actions"
_ADMIN = "volume_extension:volume_admin_actions"


@dataclass(frozen=True)
class Action:
    """Its body, its policy, what it does, and the status of the answer."""

    model: type[BaseModel]
    rule: str
    do: Do
    status: int = 202


async def _attach(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Attach) -> None:
    await use.attach(
        svc, found, server_id=body.instance_uuid, host_name=body.host_name, mountpoint=body.mountpoint, mode=body.mode
    )


async def _detach(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Detach) -> None:
    await use.detach(svc, found, attachment_id=body.attachment_id)


async def _force_detach(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.ForceDetach) -> None:
    await use.detach(svc, found, attachment_id=body.attachment_id, force=True)


async def _reserve(svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> None:
    await use.move(svc, found, old=(Status.AVAILABLE,), new=Status.ATTACHING, what="reserve")


async def _unreserve(svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> None:
    await use.unreserve(svc, found)


async def _begin_detaching(svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> None:
    await use.move(svc, found, old=(Status.IN_USE,), new=Status.DETACHING, what="detach")


async def _roll_detaching(svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> None:
    if found.row.status == Status.DETACHING:
        await use.move(svc, found, old=(Status.DETACHING,), new=Status.IN_USE, what="roll back")


async def _initialize(_svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> dict[str, Any]:
    data = {
        "volume_id": found.row.id,
        "name": found.row.id,
        "access_mode": "ro" if found.row.is_readonly else "rw",
        "encrypted": False,
    }
    return {"connection_info": {"driver_volume_type": "archipelago", "data": data}}


async def _extend(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Extend) -> None:
    await use.extend(svc, found, size_gib=body.new_size)


async def _retype(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Retype) -> None:
    await use.retype(svc, found, new_type=body.new_type)


async def _set_bootable(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Bootable) -> None:
    await volumes.update_volume(svc, found, {"is_bootable": body.bootable})


async def _set_readonly(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.Readonly) -> None:
    if found.row.status != Status.AVAILABLE:
        raise InvalidInput(
            f"Volume {found.row.id} status must be available to update readonly flag, but is {found.row.status}."
        )
    await volumes.update_volume(svc, found, {"is_readonly": body.readonly})


async def _reset_status(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.ResetStatus) -> None:
    status = body.status.lower() if body.status else None
    if status is not None and status not in SETTABLE:
        raise InvalidInput(f"Cannot reset-state to {status[:40]}: use one of {', '.join(SETTABLE)}.")
    await use.reset_status(svc, found, status=status, attach_status=body.attach_status)


async def _force_delete(svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> None:
    await volumes.delete_volume(svc, found, force=True)


async def _set_image_metadata(
    svc: Services, _ctx: Context, found: volumes.Found, body: bodies.ImageMetadata
) -> dict[str, Any]:
    merged = {**(found.row.image_metadata or {}), **body.metadata}
    await volumes.update_volume(svc, found, {"image_metadata": merged})
    return {"metadata": merged}


async def _unset_image_metadata(
    svc: Services, _ctx: Context, found: volumes.Found, body: bodies.ImageMetadataKey
) -> None:
    held = found.row.image_metadata or {}
    if body.key not in held:
        raise MetadataNotFound(body.key)
    await volumes.update_volume(svc, found, {"image_metadata": {k: v for k, v in held.items() if k != body.key}})


async def _show_image_metadata(_svc: Services, _ctx: Context, found: volumes.Found, _body: Any) -> dict[str, Any]:
    return {"metadata": found.row.image_metadata or {}}


async def _upload_image(svc: Services, _ctx: Context, found: volumes.Found, body: bodies.UploadImage) -> dict[str, Any]:
    image = await use.upload_to_image(svc, found, name=body.image_name, body=body.model_dump(), force=body.force)
    row = found.row
    kind = {"id": row.volume_type_id, "name": row.volume_type} if row.volume_type else None
    return {
        "os-volume_upload_image": {
            "id": row.id,
            "updated_at": time_view(row.updated_at),
            "status": "uploading",
            "display_description": row.description,
            "size": row.size_gib,
            "volume_type": kind,
            "image_id": image["id"],
            "container_format": image["container_format"],
            "disk_format": image["disk_format"],
            "image_name": image["name"],
        }
    }


ACTIONS: dict[str, Action] = {
    "os-attach": Action(bodies.Attach, _ACTIONS, _attach),
    "os-detach": Action(bodies.Detach, _ACTIONS, _detach),
    "os-force_detach": Action(bodies.ForceDetach, _ADMIN, _force_detach),
    "os-reserve": Action(bodies.Nothing, _ACTIONS, _reserve),
    "os-unreserve": Action(bodies.Nothing, _ACTIONS, _unreserve),
    "os-begin_detaching": Action(bodies.Nothing, _ACTIONS, _begin_detaching),
    "os-roll_detaching": Action(bodies.Nothing, _ACTIONS, _roll_detaching),
    "os-initialize_connection": Action(bodies.Connection, _ACTIONS, _initialize, 200),
    "os-terminate_connection": Action(bodies.Connection, _ACTIONS, _unreserve),
    "os-extend": Action(bodies.Extend, "volume:extend", _extend),
    "os-retype": Action(bodies.Retype, "volume:retype", _retype),
    "os-set_bootable": Action(bodies.Bootable, "volume:update", _set_bootable, 200),
    "os-update_readonly_flag": Action(bodies.Readonly, "volume:update_readonly_flag", _set_readonly),
    "os-reset_status": Action(bodies.ResetStatus, _ADMIN, _reset_status),
    "os-force_delete": Action(bodies.Nothing, _ADMIN, _force_delete),
    "os-set_image_metadata": Action(
        bodies.ImageMetadata, "volume_extension:volume_image_metadata:set", _set_image_metadata, 200
    ),
    "os-unset_image_metadata": Action(
        bodies.ImageMetadataKey, "volume_extension:volume_image_metadata:set", _unset_image_metadata, 200
    ),
    "os-show_image_metadata": Action(
        bodies.Nothing, "volume_extension:volume_image_metadata:show", _show_image_metadata, 200
    ),
    "os-volume_upload_image": Action(bodies.UploadImage, "volume_extension:volume_actions:upload_image", _upload_image),
}


def choose(actions: dict[str, Action], body: dict[str, Any]) -> tuple[Action, BaseModel]:
    """The action of a body and its parsed value. Raises BadRequest."""
    if len(body) != 1 or next(iter(body)) not in actions:
        raise BadRequest(
            "There is no such action: give one of " + ", ".join(actions) + ".", code="volume.action.unknown"
        )
    name, value = next(iter(body.items()))
    action = actions[name]
    # Clients send null or {} for actions without a value; Cinder minds neither, nor what else comes.
    has_value = value is not None and action.model is not bodies.Nothing
    return action, parse(action.model, value if has_value else {})


@router.post("/{volume_id}/action", status_code=202, responses={200: {"description": "An action with an answer"}})
async def act_on_volume(volume_id: str, ctx: ProjectCtx, svc: Svc, body: ActionBody) -> Response:
    """Attach, detach, extend and the like; the body's one key names the action."""
    action, value = choose(ACTIONS, body)
    found = await load(svc, ctx, volume_id, action.rule)
    result = await action.do(svc, ctx, found, value)
    return empty(action.status) if result is None else answer(result, action.status)
