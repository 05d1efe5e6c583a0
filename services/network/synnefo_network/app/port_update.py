"""Changing a port: attributes, addresses, groups, MAC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.address_history import follow_addresses
from synnefo_network.app.addresses import allocate
from synnefo_network.app.direct_floating_ips import needs_floating_ip
from synnefo_network.app.port_create import check_drained
from synnefo_network.app.port_events import PortFacts, emit_port, gather
from synnefo_network.app.ports import authorize_port, load, port_target, shows_binding, view_port
from synnefo_network.app.qos_policies import check_bound
from synnefo_network.app.services import Services, check_revision, seen_by
from synnefo_network.db import floating_ips as db_floating_ips
from synnefo_network.db import ports as db
from synnefo_network.db import routers as db_routers
from synnefo_network.db import security_groups as db_groups
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.listing import update_row
from synnefo_network.domain.addresses import make_mac, parse_mac
from synnefo_network.domain.errors import (
    BadResource,
    MacAddressInUse,
    PortSecurityPortHasSecurityGroup,
    SecurityGroupNotFound,
    ServicePortInUse,
    StaleRow,
)
from synnefo_network.domain.port import (
    check_security,
    is_undeletable,
    is_working,
    plan_addresses,
    read_address_pairs,
    read_dhcp_opts,
)
from synnefo_network.domain.router import INTERFACE_OWNER, check_overlap, check_routes
from synnefo_network.domain.router_errors import RouterInterfaceInUseByFloatingIP
from synnefo_network.domain.security_group import check_stateful

_COLUMN = {"binding:vnic_type": "vnic_type", "binding:host_id": "host_id", "binding:profile": "profile"}


async def update_port(svc: Services, ctx: Context, port_id: str, given: dict[str, Any], *, revision: int | None = None) -> dict[str, Any]:
    """Raises PortNotFound, PolicyNotAuthorized, MacAddressInUse, the faults of allocation, SecurityGroupNotFound."""

    async def work(uow: UnitOfWork) -> PortFacts:
        row, network = await load(uow, ctx, port_id)
        authorize_port(ctx, "update_port", given, port_target(row, network))
        check_revision(row, revision)
        (before,) = await gather(uow, [row])
        _refuse_new_owner(row, given)
        await check_bound(uow, ctx, [given])
        values = _values(svc, row, given)
        if "mac_address" in values and values["mac_address"] != row.mac_address:
            await _check_mac(uow, row, values["mac_address"])
        groups = await _changed_groups(uow, ctx, row, given)
        has_pairs = bool(values.get("allowed_address_pairs", row.allowed_address_pairs))
        security = values.get("port_security_enabled", row.port_security_enabled)
        if not security and row.port_security_enabled and groups is None and before.groups:
            raise PortSecurityPortHasSecurityGroup("Port has security group associated. Cannot disable port security until it is removed.")
        check_security(port_security=security, has_groups=bool(before.groups if groups is None else groups), has_pairs=has_pairs)
        after = await update_row(uow, db.ports, row, values)
        fixed_ips = before.fixed_ips
        if given.get("fixed_ips") is not None:
            if is_undeletable(row.device_owner) and row.device_owner != INTERFACE_OWNER:
                raise ServicePortInUse(f"The addresses of port {port_id} belong to its {row.device_owner}.")
            if seen_by(ctx) is not None and needs_floating_ip(row.project_id, row.device_owner, network):
                raise BadResource("port", f"The addresses of port {port_id} are floating IPs: make another port for another address.")
            if {f.get("ip_address") for f in given["fixed_ips"]} - {h["ip_address"] for h in before.fixed_ips}:
                check_drained(network)
            fixed_ips = await replace_addresses(uow, svc, after, before.fixed_ips, wanted=given["fixed_ips"])
            await _check_used(uow, after, before=before.fixed_ips, after=fixed_ips)
        if groups is not None:
            await db.set_groups(uow, [(port_id, g) for g in groups], instead_of=port_id)
        if network.is_external or before.floating_ips:
            await follow_addresses(uow, svc, port_ids=[port_id])
        facts = PortFacts(after, fixed_ips, before.groups if groups is None else groups, before.floating_ips)
        emit_port(uow, "updated", facts.document(network), row=after)
        return facts

    return view_port(await svc.write(work), shows_binding=shows_binding(ctx))


def _refuse_new_owner(row: Row[Any], given: Mapping[str, Any]) -> None:
    """What belongs to a router or floating IP stays with it. Raises ServicePortInUse."""
    if is_undeletable(row.device_owner):
        for name in ("device_id", "device_owner"):
            if name in given and (given[name] or "") != getattr(row, name):
                raise ServicePortInUse(f"{name} of port {row.id} belongs to its {row.device_owner}.")


async def _check_used(uow: UnitOfWork, row: Row[Any], *, before: Sequence[dict[str, str]], after: Sequence[dict[str, str]]) -> None:
    """A floating IP's address stays; a router's stays while something uses it, and does not overlap. Raises."""
    lost = {h["ip_address"] for h in before} - {h["ip_address"] for h in after}
    used = await db_floating_ips.fixed_addresses(uow, row.id)
    if lost & used:
        raise BadResource("port", f"Cannot change the address {min(lost & used)} of port {row.id}: a floating IP leads to it.")
    owner = await db_routers.router_of_port(uow, row.id)
    if owner is None:
        return
    if not after:
        raise BadResource("port", "Router port must have at least one fixed IP.")
    if not await db_routers.lock_router(uow, owner.router_id):
        raise StaleRow
    router = await db_routers.get_router(uow, owner.router_id, project_id=None)
    connected = (await db_routers.addresses_of(uow, [owner.router_id]))[owner.router_id]
    old = {h["subnet_id"] for h in before}
    mine = [c for c in connected if c.port_id == row.id]
    check_overlap(
        [SimpleNamespace(id=c.subnet_id, cidr=c.cidr) for c in mine if c.subnet_id not in old],
        [c for c in connected if c.port_id != row.id or c.subnet_id in old],
    )
    gone = old - {c.subnet_id for c in mine}
    if gone & await db_routers.floating_subnets(uow, owner.router_id):
        raise RouterInterfaceInUseByFloatingIP(f"The addresses of port {row.id} are required by one or more floating IPs.")
    assert router is not None
    check_routes(router.routes, connected, most=len(router.routes), router_id=owner.router_id)


def _values(svc: Services, row: Row[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that change."""
    values = {_COLUMN.get(k, k): v for k, v in given.items() if k not in ("fixed_ips", "security_groups")}
    for name in ("name", "description", "device_id", "device_owner", "host_id"):
        if name in values and values[name] is None:
            values[name] = ""
    if "profile" in values:
        values["profile"] = values["profile"] or {}
    if "mac_address" in values:
        wanted = values["mac_address"]
        values["mac_address"] = make_mac(svc.settings.base_mac, svc.ids.random) if wanted is None else parse_mac(wanted)
    if "allowed_address_pairs" in values:
        values["allowed_address_pairs"] = read_address_pairs(
            values["allowed_address_pairs"] or [],
            port_mac=values.get("mac_address", row.mac_address),
            most=svc.settings.max_allowed_address_pairs,
        )
    if "extra_dhcp_opts" in values:
        kept = {(o["opt_name"], o["ip_version"]): o for o in row.extra_dhcp_opts}
        changed = {(o["opt_name"], o.get("ip_version") or 4): o for o in values["extra_dhcp_opts"] or []}
        values["extra_dhcp_opts"] = read_dhcp_opts([*(kept | changed).values()])
    if "host_id" in values:
        values["is_bound"] = bool(values["host_id"]) or (row.is_bound and bool(values.get("device_id", row.device_id)))
    elif values.get("device_id") == "":
        values["is_bound"] = bool(row.host_id)
    status = svc.driver.immediate_status(
        is_bound=is_working(values.get("device_owner", row.device_owner), is_bound=values.get("is_bound", row.is_bound)),
        admin_state_up=values.get("admin_state_up", row.admin_state_up),
    )
    if status is not None and status != row.status:
        values["status"] = status
    return values


async def _check_mac(uow: UnitOfWork, row: Row[Any], mac: str) -> None:
    if await db.mac_holder(uow, mac) is not None:
        raise MacAddressInUse(f"Unable to complete operation for network {row.network_id}. The mac address {mac} is in use.")


async def _changed_groups(uow: UnitOfWork, ctx: Context, row: Row[Any], given: Mapping[str, Any]) -> dict[str, str] | None:
    """The new groups, id → name, or None if they stay. Raises SecurityGroupNotFound, SecurityGroupConflict."""
    if "security_groups" not in given:
        return None
    wanted = given["security_groups"] or []
    known = await db_groups.get_groups(uow, wanted, project_id=row.project_id if seen_by(ctx) is not None else None) if wanted else {}
    for group_id in wanted:
        if group_id not in known:
            raise SecurityGroupNotFound(group_id)
    check_stateful(known.values())
    return {g: known[g].name for g in sorted(set(wanted))}


async def replace_addresses(
    uow: UnitOfWork,
    svc: Services,
    row: Row[Any],
    held: Sequence[dict[str, str]],
    *,
    wanted: Sequence[Mapping[str, str]],
) -> list[dict[str, str]]:
    """Make the port's addresses as wanted: keep what matches, give back the rest, allocate what is new."""
    subnets = (await db_subnets.subnets_of(uow, [row.network_id]))[row.network_id]
    left, kept = list(held), []
    new: list[Mapping[str, str]] = []
    for exact in (
        True,
        False,
    ):  # an address by name keeps its own; "any of this subnet" is content with one that is there
        for fixed in wanted:
            if bool(fixed.get("ip_address")) is not exact:
                continue
            match = next((h for h in left if _matches(h, fixed)), None)
            if match is None:
                new.append(fixed)
            else:
                left.remove(match)
                kept.append(match)
    wants = plan_addresses(
        row.id,
        row.mac_address,
        subnets,
        fixed_ips=new,
        network_id=row.network_id,
        most=svc.settings.max_fixed_ips_per_port - len(kept),
    )
    if left:
        await db.release_addresses(uow, row.id, [(h["subnet_id"], h["ip_address"]) for h in left])
    got = await allocate(uow, svc, wants, network_id=row.network_id) if wants else {}
    return [*kept, *got.get(row.id, [])]


def _matches(held: Mapping[str, str], fixed: Mapping[str, str]) -> bool:
    subnet_id, ip_address = fixed.get("subnet_id"), fixed.get("ip_address")
    return (not subnet_id or held["subnet_id"] == subnet_id) and (not ip_address or held["ip_address"] == ip_address)
