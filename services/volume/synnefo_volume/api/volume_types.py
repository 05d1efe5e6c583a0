"""/v3/{project_id}/types: types, extra specs, access."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row
from starlette.responses import Response

from synnefo_common.errors import BadRequest, NotFound
from synnefo_common.web import Context, answer, empty, parse, read_bool
from synnefo_volume.api.deps import PREFIX, ActionBody, ProjectCtx, Svc, reach_of
from synnefo_volume.api.schemas.common import LooseBool, Metadata, Name, Text
from synnefo_volume.app import volume_types

router = APIRouter(prefix=PREFIX + "/types", tags=["volume types"])
_MANAGE, _SPECS, _ACCESS = (
    "volume_extension:types_manage",
    "volume_extension:types_extra_specs",
    "volume_extension:volume_type_access",
)
_USER_VISIBLE = ("RESKEY:availability_zones", "multiattach", "replication_enabled")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TypeBody(_Strict):
    """What a type is to be."""

    name: Annotated[Name, Field(min_length=1)]
    description: Text | None = None
    extra_specs: Metadata | None = None
    is_public: LooseBool = Field(True, alias="os-volume-type-access:is_public")


class TypeCreate(_Strict):
    """Body of a create call."""

    volume_type: TypeBody


class TypeChange(_Strict):
    """What can be changed."""

    name: Annotated[Name, Field(min_length=1)] | None = None
    description: Text | None = None
    is_public: LooseBool | None = None


class TypeUpdate(_Strict):
    """Body of an update call."""

    volume_type: TypeChange


class ExtraSpecs(_Strict):
    """Body: specs that are added."""

    extra_specs: Metadata


class ProjectAccess(_Strict):
    """`addProjectAccess`, `removeProjectAccess`."""

    project: Annotated[Text, Field(min_length=1)]


def _view(row: Row[Any], ctx: Context) -> dict[str, Any]:
    specs = row.extra_specs if ctx.is_admin else {k: v for k, v in row.extra_specs.items() if k in _USER_VISIBLE}
    view = {
        "id": row.id,
        "name": row.name,
        "is_public": row.is_public,
        "description": row.description,
        "extra_specs": specs,
        "os-volume-type-access:is_public": row.is_public,
    }
    return view | ({"qos_specs_id": None} if ctx.is_admin else {})


def _created(row: Row[Any], ctx: Context) -> dict[str, Any]:
    return {k: v for k, v in _view(row, ctx).items() if k != "qos_specs_id"}


@router.get("")
async def list_types(request: Request, ctx: ProjectCtx, svc: Svc) -> Response:
    """Types that the project may use; administrators choose by `is_public`."""
    ctx.require("volume_extension:type_get_all")
    text = request.query_params.get("is_public")
    is_public: bool | None = True
    if ctx.is_admin and text is not None:
        is_public = None if text.lower() == "none" else read_bool(text, name="is_public")
    rows = await volume_types.list_types(svc, project_id=reach_of(ctx), is_public=is_public if ctx.is_admin else None)
    return answer({"volume_types": [_view(row, ctx) for row in rows]})


@router.post("")
async def create_type(body: TypeCreate, ctx: ProjectCtx, svc: Svc) -> Response:
    """A new type."""
    ctx.require(_MANAGE)
    wanted = body.volume_type
    row = await volume_types.create_type(
        svc,
        name=wanted.name,
        description=wanted.description,
        is_public=wanted.is_public,
        extra_specs=wanted.extra_specs or {},
    )
    return answer({"volume_type": _created(row, ctx)})


@router.get("/{type_id}")
async def show_type(type_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """One type; `default` is the default one."""
    ctx.require("volume_extension:type_get_all")
    return answer({"volume_type": _view(await volume_types.show_type(svc, type_id, project_id=reach_of(ctx)), ctx)})


@router.put("/{type_id}")
async def update_type(type_id: str, body: TypeUpdate, ctx: ProjectCtx, svc: Svc) -> Response:
    """Change name, description or publicity."""
    ctx.require(_MANAGE)
    values = {k: v for k, v in body.volume_type.model_dump(exclude_unset=True).items() if v is not None}
    if not values:
        raise BadRequest("Specify volume type name, description, is_public or a combination thereof.")
    row = await volume_types.show_type(svc, type_id, project_id=None)
    changed = _view(await volume_types.update_type(svc, row, values), ctx)
    keys = ("id", "name", "is_public", "description", "extra_specs")
    return answer({"volume_type": {k: changed[k] for k in keys}})


@router.delete("/{type_id}", status_code=202)
async def delete_type(type_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """Delete a type that no volume has."""
    ctx.require(_MANAGE)
    await volume_types.delete_type(svc, await volume_types.show_type(svc, type_id, project_id=None))
    return empty(202)


@router.get("/{type_id}/extra_specs")
async def list_extra_specs(type_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """All extra specs."""
    ctx.require("volume_extension:type_get_all")
    row = await volume_types.show_type(svc, type_id, project_id=reach_of(ctx))
    return answer({"extra_specs": _view(row, ctx)["extra_specs"]})


@router.post("/{type_id}/extra_specs")
async def add_extra_specs(type_id: str, body: ExtraSpecs, ctx: ProjectCtx, svc: Svc) -> Response:
    """Add or replace some."""
    ctx.require(_SPECS)
    row = await volume_types.show_type(svc, type_id, project_id=None)
    await volume_types.update_type(svc, row, {"extra_specs": {**row.extra_specs, **body.extra_specs}})
    return answer({"extra_specs": body.extra_specs})


@router.get("/{type_id}/extra_specs/{key}")
async def show_extra_spec(type_id: str, key: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """One extra spec."""
    ctx.require("volume_extension:type_get_all")
    row = await volume_types.show_type(svc, type_id, project_id=reach_of(ctx))
    return answer({key: _spec(_view(row, ctx)["extra_specs"], key)})


@router.put("/{type_id}/extra_specs/{key}")
async def set_extra_spec(
    type_id: str, key: str, ctx: ProjectCtx, svc: Svc, body: Annotated[Metadata, Body()]
) -> Response:
    """Set one extra spec; the body is `{key: value}`."""
    ctx.require(_SPECS)
    if set(body) != {key}:
        raise BadRequest("Request body and URI mismatch: the body has to hold the key of the URL and no other.")
    row = await volume_types.show_type(svc, type_id, project_id=None)
    await volume_types.update_type(svc, row, {"extra_specs": {**row.extra_specs, **body}})
    return answer(body)


@router.delete("/{type_id}/extra_specs/{key}", status_code=202)
async def remove_extra_spec(type_id: str, key: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """Remove one extra spec."""
    ctx.require(_SPECS)
    row = await volume_types.show_type(svc, type_id, project_id=None)
    _spec(row.extra_specs, key)
    await volume_types.update_type(svc, row, {"extra_specs": {k: v for k, v in row.extra_specs.items() if k != key}})
    return empty(202)


def _spec(specs: dict[str, str], key: str) -> str:
    if key not in specs:
        raise NotFound(f"Volume Type has no extra spec with key {key[:64]}.", code="volume.type.no_spec")
    return specs[key]


@router.get("/{type_id}/os-volume-type-access")
async def list_type_access(type_id: str, ctx: ProjectCtx, svc: Svc) -> Response:
    """The projects of a private type."""
    ctx.require(_ACCESS)
    rows = await volume_types.list_access(svc, await volume_types.show_type(svc, type_id, project_id=None))
    given = [{"volume_type_id": row.volume_type_id, "project_id": row.project_id} for row in rows]
    return answer({"volume_type_access": given})


@router.post("/{type_id}/action", status_code=202)
async def change_type_access(type_id: str, ctx: ProjectCtx, svc: Svc, body: ActionBody) -> Response:
    """`addProjectAccess` and `removeProjectAccess` of a private type."""
    ctx.require(_ACCESS)
    if len(body) != 1 or next(iter(body)) not in ("addProjectAccess", "removeProjectAccess"):
        raise BadRequest("There is no such action: use addProjectAccess or removeProjectAccess.")
    name, value = next(iter(body.items()))
    project = parse(ProjectAccess, value).project
    row = await volume_types.show_type(svc, type_id, project_id=None)
    await volume_types.set_access(svc, row, project, may_use=name == "addProjectAccess")
    return empty(202)
