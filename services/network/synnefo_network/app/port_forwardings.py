"""Port forwardings: single ports of one floating IP that lead to ports of several hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app import floating_ips, ports
from synnefo_network.app.floating_ip_association import find_router, fixed_address
from synnefo_network.app.services import Services, authorize, seen_by, standard_values
from synnefo_network.db import floating_ips as db
from synnefo_network.db.listing import insert_row, list_rows, update_row
from synnefo_network.domain.errors import BadResource
from synnefo_network.domain.listing import PORT_FORWARDINGS, ListQuery
from synnefo_network.domain.router_errors import PortForwardingNotFound, PortHasBindingFloatingIP


def _view(row: Any) -> dict[str, Any]:
    return {k: getattr(row, k) for k in (*floating_ips.FORWARDING_FIELDS, "description")}


async def list_forwardings(svc: Services, ctx: Context, floating_ip_id: str, query: ListQuery) -> list[dict[str, Any]]:
    """Raises FloatingIPNotFound."""
    async with svc.db.read() as uow:
        await _load_parent(uow, ctx, floating_ip_id, "get")
        table = db.port_forwardings
        rows = await list_rows(uow, PORT_FORWARDINGS, table, query=query, where=[table.c.floatingip_id == floating_ip_id])
    if rows is None:
        raise PortForwardingNotFound(query.marker or "")
    return [_view(row) for row in rows]


async def show_forwarding(svc: Services, ctx: Context, floating_ip_id: str, forwarding_id: str) -> dict[str, Any]:
    """Raises FloatingIPNotFound, PortForwardingNotFound."""
    async with svc.db.read() as uow:
        await _load_parent(uow, ctx, floating_ip_id, "get")
        return _view(await _load(uow, floating_ip_id, forwarding_id))


async def _load_parent(uow: UnitOfWork, ctx: Context, floating_ip_id: str, action: str) -> Row[Any]:
    row = await floating_ips.load(uow, ctx, floating_ip_id)
    authorize(ctx, f"{action}_floatingip_port_forwarding", {"project_id": row.project_id})
    return row


async def _load(uow: UnitOfWork, floating_ip_id: str, forwarding_id: str) -> Row[Any]:
    row = await db.get_forwarding(uow, floating_ip_id, forwarding_id)
    if row is None:
        raise PortForwardingNotFound(forwarding_id)
    return row


async def create_forwarding(svc: Services, ctx: Context, floating_ip_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Raises FloatingIPNotFound, PortNotFound, BadResource (a duplicate too), PortHasBindingFloatingIP, ExternalGatewayForFloatingIPNotFound."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        parent = await _load_parent(uow, ctx, floating_ip_id, "create")
        if parent.port_id is not None:
            raise PortHasBindingFloatingIP(f"Floating IP {floating_ip_id} is associated with port {parent.port_id} and cannot forward single ports.")
        values = {"floatingip_id": floating_ip_id, **given, "description": given.get("description") or ""}
        row = {**standard_values(svc, values, project_id=parent.project_id), **values}
        router_id = await _aim(uow, ctx, parent, row, row_id=row["id"])
        await insert_row(uow, db.port_forwardings, row)
        await update_row(uow, db.floating_ips, parent, {"router_id": router_id, "status": _active(svc)})
        return _view(await _load(uow, floating_ip_id, row["id"]))

    return await svc.write(work)


def _active(svc: Services) -> str:
    return svc.driver.immediate_status(is_bound=True, admin_state_up=True) or "DOWN"


async def _aim(uow: UnitOfWork, ctx: Context, parent: Any, values: dict[str, Any], *, row_id: str) -> str:
    """Fill in the address inside and check that it can be reached, and that no other forwarding is the same; the router's id."""
    port_id = values["internal_port_id"]
    port, _network = await ports.load(uow, ctx, port_id)
    if port.project_id != parent.project_id and seen_by(ctx) is not None:
        raise BadResource("port_forwarding", f"Port {port_id} belongs to another project than the floating IP.")
    address = await fixed_address(uow, port_id, values.get("internal_ip_address"))
    values["internal_ip_address"] = address["ip_address"]
    router_id = await find_router(uow, port_id, address["subnet_id"], parent.floating_network_id)
    if parent.router_id not in (None, router_id):
        raise BadResource("port_forwarding", f"the floating IP's other forwardings go through router {parent.router_id}, not {router_id}.")
    led = (await db.addresses_to(uow, [port_id])).get(port_id)
    if led:
        raise PortHasBindingFloatingIP(
            f"Cannot create port forwarding to floating IP {parent.floating_ip_address} ({parent.id}) with port {port_id}, "
            f"as that port already has a binding floating IP {led[0]}."
        )
    same = await db.same_forwarding(uow, values, other_than=row_id)
    if same is not None:
        raise BadResource("port_forwarding", f"A duplicate port forwarding entry with the same {same} port already exists.")
    return router_id


async def update_forwarding(svc: Services, ctx: Context, floating_ip_id: str, forwarding_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises PortForwardingNotFound and the faults of `create_forwarding`."""

    async def work(uow: UnitOfWork) -> dict[str, Any]:
        parent = await _load_parent(uow, ctx, floating_ip_id, "update")
        row = await _load(uow, floating_ip_id, forwarding_id)
        whole = {k: getattr(row, k) for k in ("floatingip_id", *floating_ips.FORWARDING_FIELDS[1:])} | dict(given)
        if given.get("internal_port_id", row.internal_port_id) != row.internal_port_id and "internal_ip_address" not in given:
            whole["internal_ip_address"] = None
        await update_row(uow, db.floating_ips, parent, {})
        await _aim(uow, ctx, parent, whole, row_id=row.id)
        return _view(await update_row(uow, db.port_forwardings, row, whole))

    return await svc.write(work)


async def delete_forwarding(svc: Services, ctx: Context, floating_ip_id: str, forwarding_id: str) -> None:
    """Raises FloatingIPNotFound, PortForwardingNotFound."""

    async def work(uow: UnitOfWork) -> None:
        await _load_parent(uow, ctx, floating_ip_id, "delete")
        await _load(uow, floating_ip_id, forwarding_id)
        await db.delete_forwarding(uow, forwarding_id)
        await db.forget_idle(uow, [floating_ip_id])

    await svc.write(work)
