"""Making ports: the one way for the API, for servers and for floating IPs.

A batch is a constant number of statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from synnefo_common.db import UnitOfWork
from synnefo_network.app.address_history import follow_addresses
from synnefo_network.app.addresses import allocate
from synnefo_network.app.direct_floating_ips import claim, needs_floating_ip, split_addresses
from synnefo_network.app.groups import ensure_default_group
from synnefo_network.app.port_events import PortFacts, emit_port
from synnefo_network.app.services import Services
from synnefo_network.db import ports as db
from synnefo_network.db import security_groups as db_groups
from synnefo_network.db import subnets as db_subnets
from synnefo_network.db.listing import pack_tags
from synnefo_network.domain.addresses import make_mac
from synnefo_network.domain.errors import IpAddressGenerationFailureNoMatchingSubnet, MacAddressInUse, NetworkDrained, SecurityGroupNotFound
from synnefo_network.domain.port import (
    FLOATING_IP_OWNER,
    PortSpec,
    Want,
    check_security,
    is_working,
    plan_addresses,
    read_address_pairs,
)
from synnefo_network.domain.security_group import DEFAULT, check_stateful
from synnefo_network.domain.subnet import subnets_for

_MAC_ATTEMPTS = 20


async def make_ports(
    uow: UnitOfWork,
    svc: Services,
    specs: Sequence[PortSpec],
    *,
    networks: Mapping[str, Row[Any]],
    subnets: Mapping[str, Sequence[Any]] | None = None,
    sees_all: bool = False,
    is_told: bool = True,
) -> list[PortFacts]:
    """Insert the ports with addresses and groups, and their events; what was made, in the order of `specs`.

    `networks` has the row of every network named, `subnets` theirs if they are known. Without `is_told` there are no
    events: who asked for the ports is the one who would want them, and gets them as the answer.
    Raises the faults of allocation, SecurityGroupNotFound,
    MacAddressInUse.
    """
    if subnets is None:
        subnets = await db_subnets.subnets_of(uow, {s.network_id for s in specs})
    for network_id in {s.network_id for s in specs}:
        check_drained(networks[network_id])
    groups = await _groups(uow, svc, specs, networks, sees_all=sees_all)
    rows = [_row(svc, spec, networks[spec.network_id]) for spec in specs]
    for spec, row, chosen in zip(specs, rows, groups, strict=True):
        row["allowed_address_pairs"] = read_address_pairs(
            spec.allowed_address_pairs, port_mac=row["mac_address"], most=svc.settings.max_allowed_address_pairs
        )
        check_security(
            port_security=row["port_security_enabled"],
            has_groups=bool(chosen),
            has_pairs=bool(row["allowed_address_pairs"]),
        )
    inserted = await _insert(uow, svc, specs, rows)
    wants: list[Want] = []
    floating: dict[str, list[dict[str, str]]] = {}
    for spec, row in zip(specs, rows, strict=True):
        usable, fixed_ips = _usable(spec, subnets[spec.network_id]), spec.fixed_ips
        if not spec.is_forced and needs_floating_ip(spec.project_id, spec.device_owner, networks[spec.network_id]):
            asked, fixed_ips = split_addresses(spec, usable)
            floating[row["id"]] = await claim(uow, svc, spec, row["id"], asked)
            usable = [s for s in usable if s.ip_version == 6]
        wants += plan_addresses(
            row["id"],
            row["mac_address"],
            usable,
            fixed_ips=fixed_ips,
            network_id=spec.network_id,
            most=svc.settings.max_fixed_ips_per_port,
        )
    held = await allocate(uow, svc, wants, network_id=specs[0].network_id) if wants else {}
    for port_id, addresses in floating.items():
        held[port_id] = [*addresses, *held.get(port_id, [])]
    await db.set_groups(uow, [(row["id"], g) for row, chosen in zip(rows, groups, strict=True) for g in chosen])
    if outside := [s.id for s in inserted.values() if networks[s.network_id].is_external and s.device_owner != FLOATING_IP_OWNER]:
        await follow_addresses(uow, svc, port_ids=outside)
    made = [PortFacts(inserted[r["id"]], held.get(r["id"], []), chosen) for r, chosen in zip(rows, groups, strict=True)]
    for port in made if is_told else ():
        if not port.row.device_owner.startswith("network:"):
            emit_port(uow, "created", port.document(networks[port.row.network_id]), row=port.row)
    return made


def check_drained(network: Any) -> None:
    """Raises NetworkDrained."""
    if network.is_drained:
        raise NetworkDrained(f"Network {network.id} is drained: it gives out no new addresses.")


def _usable(spec: PortSpec, subnets: Sequence[Any]) -> Sequence[Any]:
    """A port whose addresses nobody chose is served by its owner's subnets; a floating IP is one IPv4 address. Raises."""
    if spec.fixed_ips is not None:
        return subnets
    if spec.device_owner == FLOATING_IP_OWNER:
        subnets = [s for s in subnets if s.ip_version == 4]
    serving = subnets_for(subnets, spec.device_owner)
    if subnets and not serving:
        raise IpAddressGenerationFailureNoMatchingSubnet(
            f"No more IP addresses available on network {spec.network_id}: no subnet serves ports of {spec.device_owner or 'no owner'}."
        )
    return serving


def _row(svc: Services, spec: PortSpec, network: Any) -> dict[str, Any]:
    now = svc.clock.now_us()
    security = network.port_security_enabled if spec.port_security_enabled is None else spec.port_security_enabled
    if spec.is_network_device and spec.port_security_enabled is None:
        security = False
    works = is_working(spec.device_owner, is_bound=spec.is_bound)
    status = svc.driver.immediate_status(is_bound=works, admin_state_up=spec.admin_state_up) or "DOWN"
    return {
        "id": spec.id or svc.ids.uuid(),
        "project_id": spec.project_id,
        "name": spec.name,
        "description": spec.description,
        "tags": pack_tags(spec.tags),
        "revision": 1,
        "created_at": now,
        "updated_at": now,
        "network_id": spec.network_id,
        "mac_address": spec.mac_address or make_mac(svc.settings.base_mac, svc.ids.random),
        "admin_state_up": spec.admin_state_up,
        "status": status,
        "device_id": spec.device_id,
        "device_owner": spec.device_owner,
        "port_security_enabled": security,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": list(spec.extra_dhcp_opts),
        "vnic_type": spec.vnic_type,
        "host_id": spec.host_id,
        "profile": dict(spec.profile),
        "is_bound": spec.is_bound,
        "is_server_made": spec.is_server_made,
        "qos_policy_id": spec.qos_policy_id,
    }


async def _insert(uow: UnitOfWork, svc: Services, specs: Sequence[PortSpec], rows: Sequence[dict[str, Any]]) -> dict[str, Row[Any]]:
    """Insert; the rows by id. A generated MAC that somebody has is drawn anew, one that was asked for is refused."""
    by_id = {row["id"]: (spec, row) for spec, row in zip(specs, rows, strict=True)}
    inserted: dict[str, Row[Any]] = {}
    pending = list(rows)
    for _ in range(_MAC_ATTEMPTS):
        inserted |= {row.id: row for row in await db.insert_ports(uow, pending)}
        pending = [r for r in pending if r["id"] not in inserted]
        if not pending:
            return inserted
        for row in pending:
            if by_id[row["id"]][0].mac_address is not None:
                raise MacAddressInUse(
                    f"Unable to complete operation for network {row['network_id']}. The mac address {row['mac_address']} is in use."
                )
            row["mac_address"] = make_mac(svc.settings.base_mac, svc.ids.random)
    raise MacAddressInUse(f"Unable to generate unique mac on network {rows[0]['network_id']}.", kind="MacAddressGenerationFailure")


async def _groups(
    uow: UnitOfWork, svc: Services, specs: Sequence[PortSpec], networks: Mapping[str, Row[Any]], *, sees_all: bool
) -> list[dict[str, str]]:
    """The groups of each spec, id → name: those named, or the owner's default group. Raises SecurityGroupNotFound, SecurityGroupConflict."""
    named = {g for spec in specs for g in spec.security_groups or ()}
    known = await db_groups.get_groups(uow, named, project_id=None if sees_all else specs[0].project_id) if named else {}
    defaults: dict[str, str] = {}
    chosen: list[dict[str, str]] = []
    for spec in specs:
        if spec.security_groups is not None:
            for group_id in spec.security_groups:
                if group_id not in known:
                    raise SecurityGroupNotFound(group_id)
            check_stateful(known[g] for g in spec.security_groups)
            chosen.append({g: known[g].name for g in sorted(set(spec.security_groups))})
            continue
        security = networks[spec.network_id].port_security_enabled if spec.port_security_enabled is None else spec.port_security_enabled
        if spec.is_network_device or not security:
            chosen.append({})
            continue
        if spec.project_id not in defaults:
            defaults[spec.project_id] = await ensure_default_group(uow, svc, spec.project_id)
        chosen.append({defaults[spec.project_id]: DEFAULT})
    return chosen
