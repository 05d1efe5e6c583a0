"""Use cases of networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.groups import ensure_default_group
from synnefo_network.app.qos_policies import check_bound
from synnefo_network.app.services import (
    Services,
    authorize,
    authorize_attributes,
    check_revision,
    new_owner,
    seen_by,
    standard_values,
)
from synnefo_network.app.sharing import change_external, change_sharing, drop_policies, share_with_all
from synnefo_network.db import floating_ips as db_floating_ips
from synnefo_network.db import networks as db
from synnefo_network.db import ports as db_ports
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.listing import insert_row, list_rows, unpack_tags, update_row
from synnefo_network.db.qos import default_policy
from synnefo_network.db.rbac_policies import targets_of
from synnefo_network.db.subnet_pools import scopes_of_networks
from synnefo_network.domain.errors import (
    DefaultExternalNetworkExists,
    ExternalNetworkInUse,
    InvalidInput,
    InvalidSharedSetting,
    NetworkInUse,
    NetworkNotFound,
    NoNetworkAvailable,
    VlanIdInUse,
)
from synnefo_network.domain.listing import NETWORKS, ListQuery
from synnefo_network.domain.policy import ADMIN_NETWORK_FIELDS, RULES
from synnefo_network.domain.port import FLOATING_IP_OWNER
from synnefo_network.domain.router import GATEWAY_OWNER
from synnefo_network.domain.subnet import check_mtu

QUOTA = "network.networks"
_RULES = {r.name: r for r in RULES}
_COLUMN = {
    "router:external": "is_external",
    "provider:network_type": "network_type",
    "provider:physical_network": "physical_network",
    "provider:segmentation_id": "segmentation_id",
    "synnefo:drained": "is_drained",
    "synnefo:direct_floating_ips": "direct_floating_ips",
}


def _target(row: Any) -> dict[str, Any]:
    return {"project_id": row.project_id, "shared": row.shared, "external": row.is_external}


def _view(row: Any, svc: Services, *, subnets: list[str], shows_provider: bool, scopes: Mapping[int, str] | None = None) -> dict[str, Any]:
    scopes = scopes or {}
    shown = {
        "ipv4_address_scope": scopes.get(4),
        "ipv6_address_scope": scopes.get(6),
        "id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "admin_state_up": row.admin_state_up,
        "status": row.status,
        "shared": row.shared,
        "subnets": subnets,
        "mtu": row.mtu,
        "router:external": row.is_external,
        "port_security_enabled": row.port_security_enabled,
        "qos_policy_id": row.qos_policy_id,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": row.availability_zone_hints or svc.settings.availability_zones,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }
    if row.is_external:
        shown["is_default"] = row.is_default
        shown["synnefo:direct_floating_ips"] = row.direct_floating_ips
    if row.is_drained:
        shown["synnefo:drained"] = True
    if shows_provider:
        shown["provider:network_type"] = row.network_type
        shown["provider:physical_network"] = row.physical_network
        shown["provider:segmentation_id"] = row.segmentation_id
    return shown


def _shows_provider(ctx: Context) -> bool:
    return ctx.may(f"get_network:{ADMIN_NETWORK_FIELDS[0]}")


async def list_networks(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The networks that the caller sees."""
    async with svc.db.read() as uow:
        rows = await list_rows(uow, NETWORKS, db.networks, query=query, where=[db.visible(seen_by(ctx))], columns=db.columns(seen_by(ctx)))
        if rows is None:
            raise NetworkNotFound(query.marker or "")
        ids = [r.id for r in rows]
        subnets = await db_subnets.subnet_ids_of(uow, ids) if rows else {}
        scopes = await scopes_of_networks(uow, ids) if rows else {}
    provider = _shows_provider(ctx)
    return [_view(row, svc, subnets=subnets[row.id], shows_provider=provider, scopes=scopes.get(row.id)) for row in rows]


async def show_network(svc: Services, ctx: Context, network_id: str) -> dict[str, Any]:
    """Raises NetworkNotFound."""
    async with svc.db.read() as uow:
        row = await load(uow, ctx, network_id)
        subnets = await db_subnets.subnet_ids_of(uow, [network_id])
        scopes = await scopes_of_networks(uow, [network_id])
    return _view(row, svc, subnets=subnets[network_id], shows_provider=_shows_provider(ctx), scopes=scopes.get(network_id))


async def load(uow: UnitOfWork, ctx: Context, network_id: str) -> Row[Any]:
    """The row, if the caller sees it. Raises NetworkNotFound."""
    row = await db.get_network(uow, network_id, project_id=seen_by(ctx))
    if row is None:
        raise NetworkNotFound(network_id)
    authorize(ctx, "get_network", _target(row), hidden=NetworkNotFound(network_id))
    return row


async def create_networks(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises QuotaExceeded, PolicyNotAuthorized, VlanIdInUse, InvalidInput."""
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        target = {"project_id": owner}
        authorize(ctx, "create_network", target)
        authorize_attributes(ctx, "create_network", given, target, rules=_RULES)
        rows.append(_new_row(svc, given, project_id=owner))
    owners = Counter(r["project_id"] for r in rows)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[Any]:
        await check_bound(uow, ctx, bodies)
        for row, given in zip(rows, bodies, strict=True):
            if "qos_policy_id" not in given:
                row["qos_policy_id"] = await default_policy(uow, row["project_id"])
            await _check_default(uow, row["id"], is_default=row["is_default"])
            if given.get("provider:segmentation_id") is None:
                await _draw_vlan(uow, svc, row)
            await _check_segment(uow, row["id"], row["segment"])
        await insert_row(uow, db.networks, *rows)
        await share_with_all(uow, svc, "network", rows)
        for owner in owners:
            await ensure_default_group(uow, svc, owner)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        found = await db.get_networks(uow, [r["id"] for r in rows], project_id=None)
        return [found[r["id"]] for r in rows]

    created = await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work)
    provider = _shows_provider(ctx)
    return [_view(row, svc, subnets=[], shows_provider=provider) for row in created]


async def charged(svc: Services, ctx: Context, provisions: dict[str, dict[str, int]], work: Any) -> Any:
    """Run `work(uow, commissions)` with a reservation for each project; what it does not accept is given back."""
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        commissions = [
            await stack.enter_async_context(svc.quota.reserved(project_id=project, user_id=ctx.user_id, provisions=wanted))
            for project, wanted in sorted(provisions.items())
        ]
        return await svc.write(lambda uow: work(uow, commissions))


def _new_row(svc: Services, given: dict[str, Any], *, project_id: str) -> dict[str, Any]:
    zones = given.get("availability_zone_hints") or []
    check_zones(svc, zones)
    network_type = given.get("provider:network_type") or svc.settings.default_network_type
    physical, segmentation = given.get("provider:physical_network"), given.get("provider:segmentation_id")
    return {
        **standard_values(svc, given, project_id=project_id),
        "name": given.get("name") or "",
        "admin_state_up": given.get("admin_state_up", True),
        "status": "ACTIVE",
        "shared": given.get("shared", False),
        "is_external": given.get("router:external", False),
        "is_default": given.get("is_default", False),
        "is_drained": given.get("synnefo:drained", False),
        "direct_floating_ips": given.get("synnefo:direct_floating_ips", False),
        "port_security_enabled": given.get("port_security_enabled", True),
        "mtu": _mtu(svc, given.get("mtu")),
        "network_type": network_type,
        "physical_network": physical,
        "segmentation_id": segmentation,
        "segment": _segment(network_type, physical, segmentation),
        "availability_zone_hints": zones,
        "qos_policy_id": given.get("qos_policy_id"),
    }


def check_zones(svc: Services, zones: Sequence[str]) -> None:
    """Raises InvalidInput (404) for a zone that is not there."""
    for zone in zones:
        if zone not in svc.settings.availability_zones:
            raise InvalidInput(f"AvailabilityZone {zone} could not be found.", kind="AvailabilityZoneNotFound", status=404)


def _mtu(svc: Services, wanted: int | None) -> int:
    mtu = wanted or svc.settings.default_mtu
    if mtu > svc.settings.max_mtu:
        raise InvalidInput(f"Invalid input for mtu: {mtu} is more than {svc.settings.max_mtu}.")
    return mtu


def _segment(network_type: str, physical: str | None, segmentation: int | None) -> str | None:
    """What only one network may have. Raises InvalidInput for provider attributes that do not fit together."""
    if network_type in ("flat", "vlan") and not physical:
        raise InvalidInput(f"provider:physical_network required for {network_type} provider network.")
    if network_type in ("geneve", "vxlan", "gre", "local") and physical:
        raise InvalidInput(f"provider:physical_network specified for {network_type} network.")
    if network_type in ("flat", "local") and segmentation is not None:
        raise InvalidInput(f"provider:segmentation_id specified for {network_type} network.")
    if network_type == "vlan" and segmentation is not None and not 1 <= segmentation <= 4094:
        raise InvalidInput(f"provider:segmentation_id out of range (1 to 4094): {segmentation}.")
    if network_type not in ("flat", "vlan", "geneve", "vxlan", "gre", "local"):
        raise InvalidInput(f"provider:network_type {network_type[:40]} not supported: use flat, vlan, geneve, vxlan, gre or local.")
    if network_type == "local" or (network_type != "flat" and segmentation is None):
        return None
    return f"{network_type}/{physical or ''}/{'' if segmentation is None else segmentation}"


async def _check_default(uow: UnitOfWork, network_id: str, *, is_default: bool) -> None:
    if is_default and (other := await db.default_external(uow, other_than=network_id)):
        raise DefaultExternalNetworkExists(f"A default external network already exists: {other}.")


async def _draw_vlan(uow: UnitOfWork, svc: Services, row: dict[str, Any]) -> None:
    """Give a network of type vlan a free VLAN. Raises InvalidInput, NoNetworkAvailable."""
    if row["network_type"] != "vlan":
        return
    physical = row["physical_network"]
    vlans = svc.settings.vlans_of(physical)
    if not vlans:
        raise InvalidInput(f"provider:segmentation_id required for vlan provider network: physical network {physical[:64]} has no range of VLANs.")
    taken = await db.vlans_on(uow, physical)
    free = next((vlan for vlan in vlans if vlan not in taken), None)
    if free is None:
        raise NoNetworkAvailable("Unable to create the network. No tenant network is available for allocation.")
    row |= {"segmentation_id": free, "segment": _segment("vlan", physical, free)}


async def _check_segment(uow: UnitOfWork, network_id: str, segment: str | None) -> None:
    if segment is not None and await db.holds_segment(uow, segment, other_than=network_id):
        raise VlanIdInUse(f"Unable to create the network. The segment {segment} is in use.")


async def update_network(svc: Services, ctx: Context, network_id: str, given: dict[str, Any], *, revision: int | None = None) -> dict[str, Any]:
    """Raises NetworkNotFound, PolicyNotAuthorized, InvalidSharedSetting, ExternalNetworkInUse."""

    async def work(uow: UnitOfWork) -> tuple[Any, list[str], Any]:
        row = await load(uow, ctx, network_id)
        authorize(ctx, "update_network", _target(row))
        authorize_attributes(ctx, "update_network", given, _target(row), rules=_RULES)
        check_revision(row, revision)
        values = {_COLUMN.get(k, k): v for k, v in given.items()}
        subnets = (await db_subnets.subnets_of(uow, [network_id]))[network_id]
        if "mtu" in values:
            values["mtu"] = _mtu(svc, values["mtu"])
            check_mtu(values["mtu"], {s.ip_version for s in subnets})
        await _check_sharing(uow, row, values)
        await check_bound(uow, ctx, [given])
        if values.keys() & {"network_type", "physical_network", "segmentation_id"}:
            merged = [values.get(k, getattr(row, k)) for k in ("network_type", "physical_network", "segmentation_id")]
            if merged[0] == "vlan" and merged[2] is None:
                raise InvalidInput("provider:segmentation_id required for vlan provider network.")
            values["segment"] = _segment(*merged)
            await _check_segment(uow, network_id, values["segment"])
        await _check_default(uow, network_id, is_default=values.get("is_default", False))
        if "shared" in values:
            await change_sharing(uow, svc, "network", row, shared=values["shared"])
        if values.get("is_external", row.is_external) != row.is_external:
            await change_external(uow, svc, row, is_external=values["is_external"])
        scopes = await scopes_of_networks(uow, [network_id])
        return await update_row(uow, db.networks, row, values), [s.id for s in subnets], scopes.get(network_id)

    row, subnets, scopes = await svc.write(work)
    return _view(row, svc, subnets=subnets, shows_provider=_shows_provider(ctx), scopes=scopes)


async def _check_sharing(uow: UnitOfWork, row: Any, values: dict[str, Any]) -> None:
    stops_sharing = row.shared and values.get("shared") is False
    stops_external = row.is_external and values.get("is_external") is False
    if not stops_sharing and not stops_external:
        return
    users = await db_ports.owners_on_network(uow, row.id)
    if stops_external and any(p.device_owner in (FLOATING_IP_OWNER, GATEWAY_OWNER) for p in users):
        raise ExternalNetworkInUse(f"External network {row.id} cannot be updated to be made non-external, since it has gateways or floating IPs.")
    allowed = {"", row.project_id} | await targets_of(uow, "network", row.id) if stops_sharing else set()
    if stops_sharing and any(p.project_id not in allowed for p in users):
        raise InvalidSharedSetting(f"Unable to reconfigure sharing settings for network {row.id}. Multiple projects are using it.")


async def delete_network(svc: Services, ctx: Context, network_id: str, *, revision: int | None = None) -> None:
    """Its subnets and, as nothing is associated with them, its floating IPs go with it. Raises NetworkNotFound, NetworkInUse."""

    async def work(uow: UnitOfWork) -> None:
        row = await load(uow, ctx, network_id)
        authorize(ctx, "delete_network", _target(row))
        check_revision(row, revision)
        await db.touch_network(uow, network_id)
        floating_ips = await db_floating_ips.delete_floating_ips_of(uow, network_id) if row.is_external else []
        if floating_ips:
            await db_ports.delete_ports(uow, [f.floating_port_id for f in floating_ips])
        if await db_ports.owners_on_network(uow, network_id):
            raise NetworkInUse(
                f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the network; delete them first."
            )
        subnets = await db_subnets.delete_subnets_of(uow, network_id)
        await drop_policies(uow, svc, object_type="network", object_id=network_id)
        if not await db.delete_network(uow, network_id):
            raise NetworkNotFound(network_id)
        for resource, rows in (("network.subnets", subnets), ("network.floating_ips", floating_ips)):
            for owner, count in Counter(r.project_id for r in rows).items():
                svc.quota.release(uow, project_id=owner, user_id=ctx.user_id, provisions={resource: count})
        svc.quota.release(uow, project_id=row.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})

    await svc.write(work)
