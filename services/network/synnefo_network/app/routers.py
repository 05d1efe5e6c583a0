"""Use cases of routers themselves. Their interfaces: `router_interfaces`; the way out: `router_gateway`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.networks import charged, check_zones
from synnefo_network.app.router_gateway import authorize_gateway, change_gateway
from synnefo_network.app.services import (
    Services,
    authorize,
    authorize_attributes,
    check_revision,
    new_owner,
    seen_by,
    standard_values,
)
from synnefo_network.db import routers as db
from synnefo_network.db.listing import insert_row, list_rows, unpack_tags, update_row
from synnefo_network.domain.errors import BadResource
from synnefo_network.domain.listing import ROUTERS, ListQuery
from synnefo_network.domain.policy import RULES
from synnefo_network.domain.router import Route, check_routes, merge_routes, read_routes
from synnefo_network.domain.router_errors import RouterInUse, RouterNotFound

QUOTA = "network.routers"
_RULES = {r.name: r for r in RULES}


def _gateway_view(router: Any, addresses: Sequence[Any]) -> dict[str, Any] | None:
    if not addresses:
        return None
    return {
        "network_id": addresses[0].network_id,
        "enable_snat": router.enable_snat,
        "external_fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in addresses if a.subnet_id is not None],
    }


def _view(row: Any, svc: Services, ctx: Context, *, gateway: Sequence[Any]) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "admin_state_up": row.admin_state_up,
        "status": row.status,
        "external_gateway_info": _gateway_view(row, gateway),
        "routes": row.routes,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": row.availability_zone_hints or svc.settings.availability_zones,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }
    for name in ("distributed", "ha"):
        if ctx.may(f"get_router:{name}"):
            shown[name] = getattr(row, name)
    return shown


async def list_routers(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The project's routers; two statements."""
    viewer = seen_by(ctx)
    where = [] if viewer is None else [db.routers.c.project_id == viewer]
    async with svc.db.read() as uow:
        rows = await list_rows(uow, ROUTERS, db.routers, query=query, where=where)
        if rows is None:
            raise RouterNotFound(query.marker or "")
        gateways = await db.addresses_of(uow, [r.id for r in rows], is_gateway=True) if rows else {}
    return [_view(row, svc, ctx, gateway=gateways[row.id]) for row in rows]


async def show_router(svc: Services, ctx: Context, router_id: str) -> dict[str, Any]:
    """Raises RouterNotFound."""
    async with svc.db.read() as uow:
        row = await load(uow, ctx, router_id)
        return await _shown(uow, svc, ctx, row)


async def _shown(uow: UnitOfWork, svc: Services, ctx: Context, row: Any) -> dict[str, Any]:
    return _view(row, svc, ctx, gateway=(await db.addresses_of(uow, [row.id], is_gateway=True))[row.id])


async def load(uow: UnitOfWork, ctx: Context, router_id: str) -> Row[Any]:
    """The row, if the caller sees it. Raises RouterNotFound."""
    row = await db.get_router(uow, router_id, project_id=seen_by(ctx))
    if row is None:
        raise RouterNotFound(router_id)
    authorize(ctx, "get_router", {"project_id": row.project_id}, hidden=RouterNotFound(router_id))
    return row


async def create_routers(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises QuotaExceeded, PolicyNotAuthorized, NetworkNotFound, the faults of allocation."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        target = {"project_id": owner}
        authorize(ctx, "create_router", target)
        authorize_attributes(ctx, "create_router", _asked(given), target, rules=_RULES)
        authorize_gateway(ctx, "create_router", given.get("external_gateway_info"), target)
        zones = given.get("availability_zone_hints") or []
        check_zones(svc, zones)
        gateway = given.get("external_gateway_info") or {}
        rows.append(
            {
                **standard_values(svc, given, project_id=owner),
                "name": given.get("name") or "",
                "admin_state_up": given.get("admin_state_up", True),
                "status": "ACTIVE",
                "distributed": bool(given.get("distributed")),
                "ha": given.get("ha") is not False,
                "enable_snat": gateway.get("enable_snat", True),
                "routes": [],
                "availability_zone_hints": zones,
            }
        )
    owners = Counter(r["project_id"] for r in rows)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[dict[str, Any]]:
        await insert_row(uow, db.routers, *rows)
        shown = []
        for row, given in zip(rows, bodies, strict=True):
            made = await db.get_router(uow, row["id"], project_id=None)
            assert made is not None
            if given.get("external_gateway_info"):
                await change_gateway(uow, svc, ctx, made, given["external_gateway_info"])
            shown.append(await _shown(uow, svc, ctx, made))
        for commission in commissions:
            svc.quota.accept(uow, commission)
        return shown

    found: list[dict[str, Any]] = await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work)
    return found


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """What needs a right: `ha` and `distributed` null leave the choice to the cloud."""
    return {k: v for k, v in given.items() if not (k in ("ha", "distributed") and v is None)}


async def update_router(svc: Services, ctx: Context, router_id: str, given: dict[str, Any], *, revision: int | None = None) -> dict[str, Any]:
    """Raises RouterNotFound, PolicyNotAuthorized, InvalidRoutes, RouterExternalGatewayInUseByFloatingIp, the faults of allocation."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load(uow, ctx, router_id)
        target = {"project_id": row.project_id}
        authorize(ctx, "update_router", target)
        authorize_attributes(ctx, "update_router", _asked(given), target, rules=_RULES)
        values = {k: v for k, v in given.items() if k != "external_gateway_info"}
        changes_gateway = "external_gateway_info" in given
        if changes_gateway:
            info = given["external_gateway_info"]
            authorize_gateway(ctx, "update_router", info, target)
            values["enable_snat"] = info.get("enable_snat", row.enable_snat) if info else True
        check_revision(row, revision)
        _check_kind(row, values)
        if values.get("routes", ()) is None:
            values["routes"] = []
        changed = await update_row(uow, db.routers, row, values)
        if changes_gateway:
            await change_gateway(uow, svc, ctx, changed, given["external_gateway_info"])
        if "routes" in values:
            changed = await _set_routes(uow, svc, changed, read_routes(values["routes"]))
        return await _shown(uow, svc, ctx, changed)

    return await svc.write(work)


def _check_kind(row: Any, values: dict[str, Any]) -> None:
    """`ha` and `distributed` change only while the router is down. Null leaves them. Raises BadResource."""
    for name in ("ha", "distributed"):
        if name not in values:
            continue
        if values[name] is None:
            del values[name]
        elif values[name] != getattr(row, name) and values.get("admin_state_up", row.admin_state_up):
            raise BadResource("router", f"Cannot change the '{name}' attribute of active routers. Set router admin_state_up to False first.")


async def _set_routes(uow: UnitOfWork, svc: Services, row: Any, routes: list[Route]) -> Any:
    connected = (await db.addresses_of(uow, [row.id]))[row.id]
    check_routes(routes, connected, most=svc.settings.max_routes, router_id=row.id)
    return await uow.one(db.routers.update().where(db.routers.c.id == row.id).values(routes=routes).returning(db.routers))


async def change_routes(svc: Services, ctx: Context, router_id: str, routes: Sequence[dict[str, str]], *, adds: bool) -> dict[str, Any]:
    """Add routes, or take some away, whatever else is changed at the same time. Adding one that is there and removing one that is not is no fault.

    Raises RouterNotFound, InvalidRoutes, RoutesExhausted.
    """

    def after(before: list[Route]) -> list[Route]:
        wanted = read_routes(routes)
        return merge_routes(before, wanted) if adds else [r for r in before if r not in wanted]

    return await _with_routes(svc, ctx, router_id, after, rule="add_extraroutes" if adds else "remove_extraroutes")


async def _with_routes(svc: Services, ctx: Context, router_id: str, after: Callable[[list[Route]], list[Route]], *, rule: str) -> dict[str, Any]:
    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load(uow, ctx, router_id)
        authorize(ctx, rule, {"project_id": row.project_id})
        changed = await _set_routes(uow, svc, await update_row(uow, db.routers, row, {}), after(row.routes))
        return await _shown(uow, svc, ctx, changed)

    return await svc.write(work)


async def delete_router(svc: Services, ctx: Context, router_id: str, *, revision: int | None = None) -> None:
    """Its gateway goes with it. Raises RouterNotFound, RouterInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await load(uow, ctx, router_id)
        authorize(ctx, "delete_router", {"project_id": row.project_id})
        check_revision(row, revision)
        await db.lock_router(uow, router_id)
        if (await db.addresses_of(uow, [router_id], is_gateway=False))[router_id]:
            raise RouterInUse(f"Router {router_id} still has ports")
        await change_gateway(uow, svc, ctx, row, None)
        if not await db.delete_router(uow, router_id):
            raise RouterNotFound(router_id)
        svc.quota.release(uow, project_id=row.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})

    await svc.write(work)
