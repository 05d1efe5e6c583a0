"""Use cases of floating IPs: allocate from an external network, associate with ports, release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.address_history import follow_addresses
from synnefo_network.app.floating_ip_association import find_association
from synnefo_network.app.networks import charged
from synnefo_network.app.port_create import make_ports
from synnefo_network.app.port_events import emit_updated
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
from synnefo_network.db import floating_ips as db
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db.listing import insert_row, list_rows, unpack_tags, update_row
from synnefo_network.domain.errors import BadResource, FloatingIPInUse, FloatingIPNotFound, IpAddressGenerationFailure, NetworkNotFound
from synnefo_network.domain.listing import FLOATING_IPS, ListQuery
from synnefo_network.domain.policy import RULES
from synnefo_network.domain.port import FLOATING_IP_OWNER, PortSpec
from synnefo_network.domain.router_errors import FipInUseByPortForwarding

QUOTA = "network.floating_ips"
FORWARDING_FIELDS = ("id", "protocol", "external_port", "internal_port", "internal_ip_address", "internal_port_id")
_RULES = {r.name: r for r in RULES}


def _view(row: Any, port: Any, forwardings: Sequence[Any]) -> dict[str, Any]:
    details = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    return {
        "id": row.id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "description": row.description,
        "status": row.status,
        "floating_network_id": row.floating_network_id,
        "floating_ip_address": row.floating_ip_address,
        "router_id": row.router_id,
        "port_id": row.port_id,
        "fixed_ip_address": row.fixed_ip_address,
        "qos_policy_id": row.qos_policy_id,
        "port_details": None if port is None else {name: getattr(port, name) for name in details},
        "port_forwardings": [{k: getattr(f, k) for k in FORWARDING_FIELDS} for f in forwardings],
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }


async def _views(uow: UnitOfWork, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Two statements."""
    ports = await db.port_details(uow, {r.port_id for r in rows if r.port_id})
    forwardings = await db.forwardings_of(uow, [r.id for r in rows])
    return [_view(row, ports.get(row.port_id), forwardings[row.id]) for row in rows]


async def list_floating_ips(svc: Services, ctx: Context, query: ListQuery) -> list[dict[str, Any]]:
    """The project's floating IPs; three statements."""
    table = db.floating_ips
    viewer = seen_by(ctx)
    where = [] if viewer is None else [table.c.project_id == viewer]
    async with svc.db.read() as uow:
        rows = await list_rows(uow, FLOATING_IPS, table, query=query, where=where)
        if rows is None:
            raise FloatingIPNotFound(query.marker or "")
        return await _views(uow, rows)


async def show_floating_ip(svc: Services, ctx: Context, floating_ip_id: str) -> dict[str, Any]:
    """Raises FloatingIPNotFound."""
    async with svc.db.read() as uow:
        return (await _views(uow, [await load(uow, ctx, floating_ip_id)]))[0]


async def load(uow: UnitOfWork, ctx: Context, floating_ip_id: str) -> Row[Any]:
    """The row, if the caller sees it. Raises FloatingIPNotFound."""
    row = await db.get_floating_ip(uow, floating_ip_id, project_id=seen_by(ctx))
    if row is None:
        raise FloatingIPNotFound(floating_ip_id)
    authorize(ctx, "get_floatingip", {"project_id": row.project_id}, hidden=FloatingIPNotFound(floating_ip_id))
    return row


async def create_floating_ips(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none.

    Raises NetworkNotFound, BadResource (not external), QuotaExceeded, the faults of allocation.
    """
    rows = []
    for given in bodies:
        owner = new_owner(ctx, given)
        authorize(ctx, "create_floatingip", {"project_id": owner})
        asked = {k: v for k, v in given.items() if v is not None}
        authorize_attributes(ctx, "create_floatingip", asked, {"project_id": owner}, rules=_RULES)
        rows.append(
            {
                **standard_values(svc, given, project_id=owner),
                "floating_network_id": given["floating_network_id"],
                "status": "DOWN",
                "qos_policy_id": given.get("qos_policy_id"),
            }
        )
    owners = Counter(r["project_id"] for r in rows)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[dict[str, Any]]:
        networks = await db_networks.get_networks(uow, {r["floating_network_id"] for r in rows}, project_id=seen_by(ctx))
        await check_bound(uow, ctx, bodies)
        specs = [_port_spec(row, given, networks) for row, given in zip(rows, bodies, strict=True)]
        made = await make_ports(uow, svc, specs, networks=networks, sees_all=True)
        for row, given, port in zip(rows, bodies, made, strict=True):
            if not port.fixed_ips:
                raise IpAddressGenerationFailure(f"No more IP addresses available on network {row['floating_network_id']}.")
            led = await find_association(uow, svc, ctx, given, owner=row["project_id"], network_id=row["floating_network_id"])
            whole = {**row, **led, "floating_ip_address": port.fixed_ips[0]["ip_address"], "floating_port_id": port.row.id}
            await insert_row(uow, db.floating_ips, whole)
        await follow_addresses(uow, svc, floating_ip_ids=[row["id"] for row in rows])
        if led_to := [given["port_id"] for given in bodies if given.get("port_id")]:
            await emit_updated(uow, led_to)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        found = await db.get_floating_ips(uow, [r["id"] for r in rows])
        return await _views(uow, [found[r["id"]] for r in rows])

    shown: list[dict[str, Any]] = await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work)
    return shown


def _port_spec(row: dict[str, Any], given: dict[str, Any], networks: dict[str, Any]) -> PortSpec:
    """The port that holds the address: it belongs to nobody, as in Neutron.

    One IPv4 address unless the caller chose.
    """
    network = networks.get(row["floating_network_id"])
    if network is None:
        raise NetworkNotFound(row["floating_network_id"])
    if not network.is_external:
        raise BadResource("floatingip", f"Network {network.id} is not a valid external network.")
    chosen = {k: v for k, v in (("subnet_id", given.get("subnet_id")), ("ip_address", given.get("floating_ip_address"))) if v}
    return PortSpec(
        project_id="",
        network_id=network.id,
        device_id=row["id"],
        device_owner=FLOATING_IP_OWNER,
        port_security_enabled=False,
        fixed_ips=[chosen] if chosen else None,
    )


async def update_floating_ip(
    svc: Services, ctx: Context, floating_ip_id: str, given: dict[str, Any], *, revision: int | None = None
) -> dict[str, Any]:
    """`port_id` leads it to another port, null to none. Raises FloatingIPNotFound, FipInUseByPortForwarding, the faults of association."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        row = await load(uow, ctx, floating_ip_id)
        authorize(ctx, "update_floatingip", {"project_id": row.project_id})
        check_revision(row, revision)
        values: dict[str, Any] = {"description": given.get("description", row.description) or ""}
        if "qos_policy_id" in given:
            await check_bound(uow, ctx, [given])
            values["qos_policy_id"] = given["qos_policy_id"]
        if not given:  # as Neutron has it: to change nothing is to lead nowhere
            given["port_id"] = None
        changes = "port_id" in given or bool(given.get("fixed_ip_address"))
        if changes and row.port_id is not None and row.router_id is None:
            raise FloatingIPInUse(f"Floating IP {row.id} is the address of port {row.port_id} itself: delete that port first.")
        if changes:
            if given.get("port_id") and (await db.forwardings_of(uow, [row.id]))[row.id]:
                raise FipInUseByPortForwarding(f"Floating IP {row.id} in use by Port Forwarding resources.")
            values |= await find_association(uow, svc, ctx, given, owner=row.project_id, network_id=row.floating_network_id, row=row)
        after = await update_row(uow, db.floating_ips, row, values)
        if changes:
            await follow_addresses(uow, svc, floating_ip_ids=[row.id])
            await emit_updated(uow, [p for p in {row.port_id, after.port_id} if p is not None])
        return (await _views(uow, [after]))[0]

    return await svc.write(work)


async def delete_floating_ip(svc: Services, ctx: Context, floating_ip_id: str, *, revision: int | None = None) -> None:
    """Raises FloatingIPNotFound, FloatingIPInUse, FipInUseByPortForwarding."""

    async def work(uow: UnitOfWork) -> None:
        row = await load(uow, ctx, floating_ip_id)
        authorize(ctx, "delete_floatingip", {"project_id": row.project_id})
        check_revision(row, revision)
        if row.port_id is not None and row.router_id is None:
            raise FloatingIPInUse(f"Floating IP {row.id} is the address of port {row.port_id} itself: delete that port first.")
        if (await db.forwardings_of(uow, [row.id]))[row.id]:
            raise FipInUseByPortForwarding(f"Floating IP {row.id} in use by Port Forwarding resources.")
        gone = await db.delete_floating_ip(uow, floating_ip_id)
        if gone is None:
            raise FloatingIPNotFound(floating_ip_id)
        await db_ports.delete_ports(uow, [gone.floating_port_id])
        if gone.port_id is not None:
            await emit_updated(uow, [gone.port_id])
        svc.quota.release(uow, project_id=gone.project_id, user_id=ctx.user_id, provisions={QUOTA: 1})

    await svc.write(work)
