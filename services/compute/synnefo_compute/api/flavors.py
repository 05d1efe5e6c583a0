"""Flavors, who may use them, their extra specs."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty, next_link, parse, read_bool, read_page
from synnefo_common.web.paging import read_limit
from synnefo_compute.api.base import CLEAN_QUERY, Name, StrictBody, Svc, Text, boolean, integer
from synnefo_compute.app import flavors
from synnefo_compute.app.core import Compute
from synnefo_compute.app.views import flavor_detail, flavor_summary

router = APIRouter(prefix="/v2.1/flavors", tags=["flavors"], dependencies=[CLEAN_QUERY])
_MAX = 2**31 - 1
_ID = re.compile(r"[A-Za-z0-9._ -]+")


def _swap(value: Any) -> int:
    return 0 if value == "" else integer(value)


def _flavor_id(text: Any) -> Any:
    if text is None or text == "auto":
        return None
    text = str(text)
    if not text or len(text) > 255 or text != text.strip() or not _ID.fullmatch(text):
        raise ValueError("must be 1 to 255 letters, digits, spaces, dashes, dots or underscores, with no space at the ends")
    return text


def _factor(value: float) -> float:
    if not 0 < value <= 3.40282e38:
        raise ValueError("must be a positive number")
    return value


Count = Annotated[int, BeforeValidator(integer), Field(ge=0, le=_MAX)]
Positive = Annotated[int, BeforeValidator(integer), Field(ge=1, le=_MAX)]


class FlavorCreate(StrictBody):
    """`flavor` of POST /flavors."""

    name: Name
    id: Annotated[str | None, BeforeValidator(_flavor_id)] = None
    ram: Positive
    vcpus: Positive
    disk: Count
    ephemeral: Annotated[Count, Field(alias="OS-FLV-EXT-DATA:ephemeral")] = 0
    swap: Annotated[int, BeforeValidator(_swap), Field(ge=0, le=_MAX)] = 0
    rxtx_factor: Annotated[float, AfterValidator(_factor)] = 1.0
    description: None = None  # not at 2.1, but openstacksdk sends null whatever the version
    is_public: Annotated[bool, BeforeValidator(boolean), Field(alias="os-flavor-access:is_public")] = True


class FlavorCreateBody(StrictBody):
    """POST /flavors."""

    flavor: FlavorCreate


SpecKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-_:. ]{1,255}$")]
SpecValue = Annotated[Text, StringConstraints(max_length=255)]


def _spec_value(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Specs = dict[SpecKey, Annotated[SpecValue, BeforeValidator(_spec_value)]]


class ExtraSpecsBody(StrictBody):
    """POST os-extra_specs."""

    extra_specs: Specs


class OneSpec(StrictBody):
    """PUT os-extra_specs/{key}."""

    spec: Annotated[Specs, Field(min_length=1, max_length=1)]


class TenantAccess(StrictBody):
    """`addTenantAccess`, `removeTenantAccess`."""

    tenant: Annotated[Text, StringConstraints(min_length=1, max_length=255)]


async def _list(request: Request, ctx: Context, svc: Compute, *, details: bool) -> Response:
    page = read_page(
        request, max_limit=svc.settings.max_page, sort_keys=flavors.SORT_KEYS, default_sort=(("flavorid", "asc"),), default_dir="asc"
    )
    wanted = (request.query_params.get("is_public") or "").lower()
    if not ctx.is_admin:
        is_public: bool | None = None
    elif wanted == "none":
        is_public = None
    else:
        is_public = read_bool(wanted, default=True, name="is_public")
    rows, more = await flavors.list_flavors(
        svc, page, project_id=ctx.project_id, is_admin=ctx.is_admin, is_public=is_public,
        min_ram=read_limit(request.query_params.get("minRam") or "0", _MAX), min_disk=read_limit(request.query_params.get("minDisk") or "0", _MAX),
    )  # fmt: skip
    shape = flavor_detail if details else flavor_summary
    body: dict[str, Any] = {"flavors": [shape(row, svc.url) for row in rows]}
    if more and rows:
        base = f"{svc.url}/flavors{'/detail' if details else ''}"
        body["flavors_links"] = [{"rel": "next", "href": next_link(request, rows[-1].id, base=base)}]
    return answer(body)


@router.get("")
async def list_flavors(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Ids and names."""
    return await _list(request, ctx, svc, details=False)


@router.get("/detail")
async def list_flavors_detail(request: Request, ctx: Ctx, svc: Svc) -> Response:
    """Everything."""
    return await _list(request, ctx, svc, details=True)


@router.post("")
async def create_flavor(body: FlavorCreateBody, ctx: Ctx, svc: Svc) -> Response:
    """A new flavor."""
    ctx.require("os_compute_api:os-flavor-manage:create")
    row = await flavors.create_flavor(svc, body.flavor.model_dump())
    return answer({"flavor": flavor_detail(row, svc.url)})


@router.get("/{flavor_id}")
async def show_flavor(flavor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """One flavor."""
    row = await flavors.show_flavor(svc, flavor_id, project_id=ctx.project_id, is_admin=ctx.is_admin)
    return answer({"flavor": flavor_detail(row, svc.url)})


@router.delete("/{flavor_id}", status_code=202)
async def delete_flavor(flavor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Remove a flavor; servers keep theirs."""
    ctx.require("os_compute_api:os-flavor-manage:delete")
    await flavors.delete_flavor(svc, flavor_id)
    return empty(202)


@router.get("/{flavor_id}/os-extra_specs")
async def list_extra_specs(flavor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """All extra specs."""
    ctx.require("os_compute_api:os-flavor-extra-specs:index")
    row = await flavors.show_flavor(svc, flavor_id, project_id=ctx.project_id, is_admin=ctx.is_admin)
    return answer({"extra_specs": row.extra_specs})


@router.post("/{flavor_id}/os-extra_specs")
async def create_extra_specs(flavor_id: str, body: ExtraSpecsBody, ctx: Ctx, svc: Svc) -> Response:
    """Add or replace extra specs."""
    ctx.require("os_compute_api:os-flavor-extra-specs:update")
    await flavors.change_extra_specs(svc, flavor_id, lambda specs: specs | body.extra_specs)
    return answer({"extra_specs": body.extra_specs})


@router.get("/{flavor_id}/os-extra_specs/{key}")
async def show_extra_spec(flavor_id: str, key: str, ctx: Ctx, svc: Svc) -> Response:
    """One extra spec."""
    ctx.require("os_compute_api:os-flavor-extra-specs:index")
    row = await flavors.show_flavor(svc, flavor_id, project_id=ctx.project_id, is_admin=ctx.is_admin)
    return answer({key: flavors.one_spec(row.extra_specs, key, flavor_id)})


@router.put("/{flavor_id}/os-extra_specs/{key}")
async def update_extra_spec(flavor_id: str, key: str, ctx: Ctx, svc: Svc, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Set one extra spec."""
    ctx.require("os_compute_api:os-flavor-extra-specs:update")
    spec = parse(OneSpec, {"spec": body}).spec
    if key not in spec:
        raise BadRequest("Request body and URI mismatch")
    await flavors.change_extra_specs(svc, flavor_id, lambda specs: specs | spec)
    return answer(spec)


@router.delete("/{flavor_id}/os-extra_specs/{key}")
async def delete_extra_spec(flavor_id: str, key: str, ctx: Ctx, svc: Svc) -> Response:
    """Remove one extra spec."""
    ctx.require("os_compute_api:os-flavor-extra-specs:update")

    def without(specs: dict[str, str]) -> dict[str, str]:
        flavors.one_spec(specs, key, flavor_id)
        return {k: v for k, v in specs.items() if k != key}

    await flavors.change_extra_specs(svc, flavor_id, without)
    return empty(200)


def _access(flavor_id: str, projects: list[str]) -> Response:
    return answer({"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project} for project in projects]})


@router.get("/{flavor_id}/os-flavor-access")
async def list_flavor_access(flavor_id: str, ctx: Ctx, svc: Svc) -> Response:
    """Projects that may use a private flavor."""
    ctx.require("os_compute_api:os-flavor-access")
    return _access(flavor_id, await flavors.list_access(svc, flavor_id))


@router.post("/{flavor_id}/action")
async def flavor_action(flavor_id: str, ctx: Ctx, svc: Svc, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Give a project access to a private flavor, or take it away."""
    ctx.require("os_compute_api:os-flavor-access")
    if len(body) != 1:
        raise BadRequest("The body must hold exactly one action.")
    name, data = next(iter(body.items()))
    if name not in ("addTenantAccess", "removeTenantAccess"):
        raise BadRequest(f"There is no such action: {name[:60]}")
    project_id = parse(TenantAccess, data).tenant
    return _access(flavor_id, await flavors.change_access(svc, flavor_id, project_id, grant=name == "addTenantAccess"))
