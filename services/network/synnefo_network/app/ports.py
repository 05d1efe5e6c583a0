"""Use cases of ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.address_history import follow_addresses
from synnefo_network.app.networks import charged
from synnefo_network.app.port_create import make_ports
from synnefo_network.app.port_events import PortFacts, describe, emit_port, gather
from synnefo_network.app.qos_policies import check_bound
from synnefo_network.app.services import Services, authorize, authorize_attributes, new_owner, seen_by
from synnefo_network.db import floating_ips as db_floating_ips
from synnefo_network.db import networks as db_networks
from synnefo_network.db import port_filters
from synnefo_network.db import ports as db
from synnefo_network.db import routers as db_routers
from synnefo_network.db.listing import list_rows, unpack_tags
from synnefo_network.domain.addresses import parse_mac
from synnefo_network.domain.errors import NetworkNotFound, PortNotFound, ServicePortInUse
from synnefo_network.domain.listing import PORTS, ListQuery
from synnefo_network.domain.policy import ADMIN_PORT_FIELDS, RULES
from synnefo_network.domain.port import FLOATING_IP_OWNER, NETWORK_DEVICE, PortSpec, is_undeletable, read_dhcp_opts

QUOTA = "network.ports"
RULE_NAMES = {r.name: r for r in RULES}


def port_target(port: Any, network: Any) -> dict[str, Any]:
    """What the policy rules of a port look at. `port`: a row or a spec."""
    return {
        "project_id": port.project_id,
        "network_project_id": network.project_id,
        "network_shared": network.shared,
        "network_direct": network.direct_floating_ips,
        "is_network_device": port.device_owner.startswith(NETWORK_DEVICE),
    }


def view_port(facts: PortFacts, *, shows_binding: bool) -> dict[str, Any]:
    """A port as the API shows it."""
    row = facts.row
    shown = {
        "id": row.id,
        "name": row.name,
        "network_id": row.network_id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "mac_address": row.mac_address,
        "admin_state_up": row.admin_state_up,
        "status": row.status,
        "device_id": row.device_id,
        "device_owner": row.device_owner,
        "fixed_ips": facts.fixed_ips,
        "security_groups": list(facts.groups),
        "allowed_address_pairs": row.allowed_address_pairs,
        "extra_dhcp_opts": row.extra_dhcp_opts,
        "port_security_enabled": row.port_security_enabled,
        "binding:vnic_type": row.vnic_type,
        "qos_policy_id": row.qos_policy_id,
        "description": row.description,
        "tags": unpack_tags(row.tags),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision,
    }
    if shows_binding:
        bound = row.is_bound or bool(row.host_id)
        shown["binding:host_id"] = row.host_id
        shown["binding:profile"] = row.profile
        shown["binding:vif_type"] = "ovs" if bound else "unbound"
        shown["binding:vif_details"] = {"port_filter": True} if bound else {}
    return shown


def shows_binding(ctx: Context) -> bool:
    """Whether the caller sees where a port is bound."""
    return ctx.may(f"get_port:{ADMIN_PORT_FIELDS[0]}")


async def list_ports(
    svc: Services,
    ctx: Context,
    query: ListQuery,
    *,
    fixed_ips: Sequence[tuple[str, str]] = (),
    groups: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The ports that the caller sees. `fixed_ips`: (ip_address, subnet_id or ip_address_substr; value)."""
    where = [db.visible(seen_by(ctx)), *port_filters.by_address(fixed_ips), *port_filters.by_group(groups)]
    async with svc.db.read() as uow:
        rows = await list_rows(uow, PORTS, db.ports, query=query, where=where)
        if rows is None:
            raise PortNotFound(query.marker or "")
        facts = await gather(uow, rows, names=False)
    binding = shows_binding(ctx)
    return [view_port(f, shows_binding=binding) for f in facts]


async def show_port(svc: Services, ctx: Context, port_id: str) -> dict[str, Any]:
    """Raises PortNotFound."""
    async with svc.db.read() as uow:
        row, _ = await load(uow, ctx, port_id)
        facts = await gather(uow, [row], names=False)
    return view_port(facts[0], shows_binding=shows_binding(ctx))


async def load(uow: UnitOfWork, ctx: Context, port_id: str) -> tuple[Row[Any], Row[Any]]:
    """The row and its network's, if the caller sees the port. Raises PortNotFound."""
    row = await db.get_port(uow, port_id, project_id=seen_by(ctx))
    network = None if row is None else await db_networks.get_network(uow, row.network_id, project_id=None, viewer=seen_by(ctx))
    if row is None or network is None:
        raise PortNotFound(port_id)
    authorize(ctx, "get_port", port_target(row, network), hidden=PortNotFound(port_id))
    return row, network


async def create_ports(svc: Services, ctx: Context, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them or none. Raises NetworkNotFound, PolicyNotAuthorized, QuotaExceeded and the faults of allocation."""
    specs = [_spec(new_owner(ctx, given), given) for given in bodies]
    owners = Counter(s.project_id for s in specs)

    async def work(uow: UnitOfWork, commissions: list[Any]) -> list[PortFacts]:
        networks = await db_networks.get_networks(uow, {s.network_id for s in specs}, project_id=seen_by(ctx))
        for spec, given in zip(specs, bodies, strict=True):
            if spec.network_id not in networks:
                raise NetworkNotFound(spec.network_id)
            authorize_port(ctx, "create_port", given, port_target(spec, networks[spec.network_id]))
        await check_bound(uow, ctx, bodies)
        made = await make_ports(uow, svc, specs, networks=networks, sees_all=seen_by(ctx) is None)
        for commission in commissions:
            svc.quota.accept(uow, commission)
        return made

    made = await charged(svc, ctx, {o: {QUOTA: n} for o, n in owners.items()}, work)
    binding = shows_binding(ctx)
    return [view_port(f, shows_binding=binding) for f in made]


def authorize_port(ctx: Context, action: str, given: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """The rule of the action, then those of the attributes given. Raises PolicyNotAuthorized."""
    authorize(ctx, action, target)
    asked = {k: v for k, v in given.items() if not (k == "allowed_address_pairs" and not v)}
    authorize_attributes(ctx, action, asked, target, rules=RULE_NAMES)
    if any(f.get("ip_address") for f in given.get("fixed_ips") or ()):
        authorize_attributes(ctx, action, {"fixed_ips:ip_address": None}, target, rules=RULE_NAMES)


def _spec(owner: str, given: Mapping[str, Any]) -> PortSpec:
    return PortSpec(
        project_id=owner,
        network_id=given["network_id"],
        name=given.get("name") or "",
        description=given.get("description") or "",
        tags=given.get("tags") or (),
        admin_state_up=given.get("admin_state_up", True),
        mac_address=parse_mac(given["mac_address"]) if given.get("mac_address") else None,
        fixed_ips=given.get("fixed_ips"),
        security_groups=_group_list(given),
        device_id=given.get("device_id") or "",
        device_owner=given.get("device_owner") or "",
        port_security_enabled=given.get("port_security_enabled"),
        allowed_address_pairs=given.get("allowed_address_pairs") or (),
        extra_dhcp_opts=read_dhcp_opts(given.get("extra_dhcp_opts") or ()),
        vnic_type=given.get("binding:vnic_type") or "normal",
        host_id=given.get("binding:host_id") or "",
        profile=given.get("binding:profile") or {},
        is_bound=bool(given.get("binding:host_id")),
        qos_policy_id=given.get("qos_policy_id"),
    )


def _group_list(given: Mapping[str, Any]) -> list[str] | None:
    if "security_groups" not in given:
        return None
    return given["security_groups"] or []


async def delete_port(svc: Services, ctx: Context, port_id: str, *, revision: int | None = None) -> None:
    """Raises PortNotFound, ServicePortInUse for a port that belongs to a floating IP or router."""
    from synnefo_network.app.services import check_revision

    async def work(uow: UnitOfWork) -> None:
        row, network = await load(uow, ctx, port_id)
        authorize(ctx, "delete_port", port_target(row, network))
        check_revision(row, revision)
        # A network's owner may write a router's owner into a port: only one that the router has is held by it.
        if is_undeletable(row.device_owner) and (row.device_owner == FLOATING_IP_OWNER or await db_routers.router_of_port(uow, port_id)):
            raise ServicePortInUse(
                f"Port {port_id} cannot be deleted directly via the port API: has device owner {row.device_owner}; delete what it belongs to."
            )
        if not await remove_ports(uow, svc, [row], user_id=ctx.user_id):
            raise PortNotFound(port_id)

    await svc.write(work)


async def remove_ports(uow: UnitOfWork, svc: Services, rows: Sequence[Any], *, user_id: str, releases: bool = True) -> list[str]:
    """Delete ports with their events and give back their quota (unless it was never theirs).

    Ids of those that were there.
    """
    documents = {d["id"]: d for d in await describe(uow, rows)}
    led = await db_floating_ips.dissociate(uow, [r.id for r in rows])
    gone = await db.delete_ports(uow, [r.id for r in rows])
    if led:
        await follow_addresses(uow, svc, floating_ip_ids=led)
    for row in gone:
        emit_port(uow, "deleted", documents[row.id], row=row)
    if releases:
        for owner, count in Counter(r.project_id for r in gone if r.project_id).items():
            svc.quota.release(uow, project_id=owner, user_id=user_id, provisions={QUOTA: count})
    return [row.id for row in gone]
