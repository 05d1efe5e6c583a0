"""Ports of servers, for the compute service: all at once, each call idempotent by its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_network.app.address_history import follow_addresses
from synnefo_network.app.groups import ensure_default_group
from synnefo_network.app.port_create import make_ports
from synnefo_network.app.port_events import describe, emit_port
from synnefo_network.app.ports import QUOTA, remove_ports
from synnefo_network.app.server_networks import default_networks, forced_networks
from synnefo_network.app.services import Services
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db
from synnefo_network.db import security_groups as db_groups
from synnefo_network.db import subnets as db_subnets
from synnefo_network.domain.addresses import parse_ip
from synnefo_network.domain.errors import (
    ExternalNetworkAttachForbidden,
    NetworkAmbiguous,
    NetworkNotFound,
    NoUniqueSecurityGroup,
    PortInUse,
    PortNotFound,
    SecurityGroupNotFound,
)
from synnefo_network.domain.port import PortSpec
from synnefo_network.domain.security_group import DEFAULT

Wanted = str | Sequence[dict[str, Any]]  # "auto", "none" or a list of {"uuid"?, "port"?, "fixed_ip"?, "tag"?}


@dataclass(frozen=True, slots=True)
class ServerPorts:
    """What compute asks for."""

    project_id: str
    user_id: str
    networks: Wanted
    security_groups: Sequence[str] = ()
    availability_zone: str = "nova"
    host: str = ""
    reserved: bool = True
    is_new: bool = False  # the server is being made: the operator's networks come in


@dataclass(slots=True)
class _Plan:
    """In the order asked for: a network to make a port on (with an address or not), or a port that is there. The first are `forced`."""

    entries: list[tuple[Row[Any] | None, str | None, Row[Any] | None]] = field(default_factory=list)
    networks: dict[str, Row[Any]] = field(default_factory=dict)
    forced: int = 0
    subnets: dict[str, list[Any]] | None = None  # of each network, where they are known already

    @property
    def new_ports(self) -> int:
        return sum(1 for network, _, _ in self.entries if network is not None)


async def check(svc: Services, asked: ServerPorts) -> int:
    """How many ports would be made. Raises the fault of the first bad reference."""
    async with svc.db.read() as uow:
        plan = await _plan(uow, svc, asked, server_id=None)
        await find_group_ids(uow, svc, asked.project_id, asked.security_groups, makes_default=False)
    return plan.new_ports


async def _plan(uow: UnitOfWork, svc: Services, asked: ServerPorts, *, server_id: str | None) -> _Plan:
    plan = await _plan_asked(uow, svc, asked, server_id=server_id)
    if asked.is_new and svc.settings.forced_server_networks:
        forced = await forced_networks(uow, svc, asked.project_id)
        plan.entries = [*((network, None, None) for network in forced), *plan.entries]
        plan.networks = {n.id: n for n in forced} | plan.networks
        plan.forced, plan.subnets = len(forced), None
    return plan


async def _plan_asked(uow: UnitOfWork, svc: Services, asked: ServerPorts, *, server_id: str | None) -> _Plan:
    if asked.networks == "none":
        return _Plan()
    if isinstance(asked.networks, str):
        if asked.is_new and svc.settings.default_server_networks:
            given = await default_networks(uow, svc, asked.project_id)
            return _Plan([(n, None, None) for n in given], {n.id: n for n in given})
        return await _plan_auto(uow, asked.project_id)
    plan = _Plan()
    wanted = {n["uuid"] for n in asked.networks if n.get("uuid") and not n.get("port")}
    ports = await db.get_ports(uow, [n["port"] for n in asked.networks if n.get("port")], project_id=None)
    wanted |= {p.network_id for p in ports.values()}
    plan.networks, plan.subnets = await db_subnets.networks_with_subnets(uow, wanted, viewer=asked.project_id)
    seen: set[str] = set()
    for entry in asked.networks:
        if entry.get("port"):
            row = ports.get(entry["port"])
            if row is None or row.project_id != asked.project_id:
                raise PortNotFound(entry["port"])
            if (row.device_id and row.device_id != server_id) or row.id in seen:
                raise PortInUse(f"Port {row.id} is still in use.")
            seen.add(row.id)
            plan.entries.append((None, None, row))
            continue
        plan.entries.append((_attachable(plan.networks, entry, asked.project_id), entry.get("fixed_ip"), None))
        if entry.get("fixed_ip"):
            parse_ip(entry["fixed_ip"])
    return plan


async def _plan_auto(uow: UnitOfWork, project_id: str) -> _Plan:
    """The project's only network, or else the only shared one; no network, no port."""
    found = await db_networks.attachable_networks(uow, project_id)
    choice = [n for n in found if n.project_id == project_id and not n.is_external] or [n for n in found if n.shared]
    if len(choice) > 1:
        raise NetworkAmbiguous("Multiple possible networks found, use a Network ID to be more specific.")
    return _Plan([(n, None, None) for n in choice], {n.id: n for n in choice})


def _attachable(networks: dict[str, Row[Any]], entry: dict[str, Any], project_id: str) -> Row[Any]:
    network = networks.get(entry.get("uuid") or "")
    if network is None or not (network.project_id == project_id or network.shared or network.is_external):
        raise NetworkNotFound(entry.get("uuid") or "")
    if network.is_external and not (network.shared or network.direct_floating_ips or network.project_id == project_id):
        raise ExternalNetworkAttachForbidden(f"It is not allowed to create an interface on external network {network.id}.")
    return network


async def find_group_ids(
    uow: UnitOfWork, svc: Services, project_id: str, groups: Sequence[str], *, makes_default: bool
) -> list[str] | None:
    """Ids of the groups by name or id; None for none asked, which means the default group.

    Raises SecurityGroupNotFound, NoUniqueSecurityGroup.
    """
    wanted = list(dict.fromkeys(groups))
    if not wanted or wanted == [DEFAULT]:
        return None
    if makes_default and DEFAULT in wanted:
        await ensure_default_group(uow, svc, project_id)
    found = await db_groups.find_groups(uow, project_id, wanted)
    ids: list[str] = []
    for name in wanted:
        if not makes_default and name == DEFAULT:
            continue
        matches = [g.id for g in found if g.id == name] or [g.id for g in found if g.name == name]
        if not matches:
            raise SecurityGroupNotFound(name)
        if len(matches) > 1:
            raise NoUniqueSecurityGroup(f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
        ids.append(matches[0])
    return ids


async def add_ports(
    uow: UnitOfWork, svc: Services, server_id: str, asked: ServerPorts, *, commission: Any = None, is_told: bool = True
) -> list[dict[str, Any]]:
    """Make and bind all ports in this transaction; their documents in the order asked for. `is_told`: see `make_ports`."""
    plan = await _plan(uow, svc, asked, server_id=server_id)
    groups = await find_group_ids(uow, svc, asked.project_id, asked.security_groups, makes_default=True)
    owner = f"compute:{asked.availability_zone}"
    specs = [
        PortSpec(
            project_id=asked.project_id,
            network_id=network.id,
            fixed_ips=[{"ip_address": fixed_ip}] if fixed_ip else None,
            security_groups=groups if network.port_security_enabled else None,
            device_id=server_id,
            device_owner=owner,
            host_id=asked.host,
            is_bound=True,
            is_server_made=True,
            is_forced=number < plan.forced,
        )
        for number, (network, fixed_ip, _) in enumerate(plan.entries)
        if network is not None
    ]
    made = iter(await make_ports(uow, svc, specs, networks=plan.networks, subnets=plan.subnets, is_told=is_told) if specs else [])
    if commission is not None:
        svc.quota.accept(uow, commission)
    bound = await _bind(uow, svc, server_id, [r for _, _, r in plan.entries if r is not None], owner=owner, host=asked.host)
    documents = []
    for network, _, row in plan.entries:
        if network is not None:
            documents.append(next(made).document(network))
        else:
            assert row is not None
            documents.append(bound[row.id])
    return documents


async def _bind(uow: UnitOfWork, svc: Services, server_id: str, rows: Sequence[Row[Any]], *, owner: str, host: str) -> dict[str, dict[str, Any]]:
    """Bind ports that are there; their documents. Raises PortInUse."""
    for row in rows:
        status = svc.driver.immediate_status(is_bound=True, admin_state_up=row.admin_state_up) or row.status
        values = {"device_owner": owner, "is_bound": True, "status": status, **({"host_id": host} if host else {})}
        if not await db.bind_port(uow, row.id, device_id=server_id, values=values):
            raise PortInUse(f"Port {row.id} is still in use.")
    if not rows:
        return {}
    await follow_addresses(uow, svc, port_ids=[r.id for r in rows])
    after = await db.get_ports(uow, [r.id for r in rows], project_id=None)
    documents = {d["id"]: d for d in await describe(uow, list(after.values()))}
    for row in after.values():
        emit_port(uow, "updated", documents[row.id], row=row)
    return documents


async def list_ports(svc: Services, server_id: str) -> list[dict[str, Any]]:
    """The server's ports."""
    async with svc.db.read() as uow:
        return await describe(uow, await db.ports_of_device(uow, server_id))


async def list_subnets(svc: Services, server_id: str) -> list[dict[str, Any]]:
    """The subnets in which the server has addresses, as far as its guest must know them."""
    async with svc.db.read() as uow:
        rows = await db_subnets.subnets_of_device(uow, server_id)
    keys = ("id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "ipv6_address_mode", "dns_nameservers", "host_routes")
    return [{key: row._mapping[key] for key in keys} for row in rows]


async def remove(uow: UnitOfWork, svc: Services, server_id: str, *, port_id: str | None, user_id: str, releases: bool) -> dict[str, list[str]]:
    """Delete what was made with the server, unbind what its user made: all, or one port.

    Repeating finds nothing to do.
    """
    rows = [r for r in await db.ports_of_device(uow, server_id) if port_id in (None, r.id)]
    deleted = await remove_ports(uow, svc, [r for r in rows if r.is_server_made], user_id=user_id, releases=releases)
    unbound = []
    for row in (r for r in rows if not r.is_server_made):
        status = svc.driver.immediate_status(is_bound=False, admin_state_up=row.admin_state_up) or row.status
        await db.unbind_port(uow, row.id, device_id=server_id, status=status)
        unbound.append(row.id)
    if unbound:
        await follow_addresses(uow, svc, port_ids=unbound)
        after = await db.get_ports(uow, unbound, project_id=None)
        documents = {d["id"]: d for d in await describe(uow, list(after.values()))}
        for row in after.values():
            emit_port(uow, "updated", documents[row.id], row=row, device_id=server_id)
    return {"deleted": deleted, "unbound": unbound}


async def count_new(svc: Services, asked: ServerPorts) -> dict[str, int]:
    """The provisions of `add_ports` when the caller has reserved nothing."""
    return {QUOTA: await check(svc, asked)}
