"""Allocation of addresses: optimistic, exact by the primary key of `ip_allocations`, no lock that all callers share."""

from __future__ import annotations

from collections.abc import Sequence

from synnefo_common.db import UnitOfWork
from synnefo_network.app.services import Services
from synnefo_network.db import ports as db
from synnefo_network.domain.addresses import draw_address
from synnefo_network.domain.errors import IpAddressGenerationFailure, IpAddressInUse
from synnefo_network.domain.port import Want

Held = dict[str, list[dict[str, str]]]  # port id → [{"subnet_id", "ip_address"}]


async def allocate(uow: UnitOfWork, svc: Services, wants: Sequence[Want], *, network_id: str) -> Held:
    """Give every want its address; what each port got. One statement if nobody was quicker.

    After a lost race the subnet's taken addresses are read, so the end is exact: an address is found while
    there is one.
    Raises IpAddressInUse for an address asked for by name, IpAddressGenerationFailure when the pools are used up.
    """
    avoid: dict[str, set[str]] = {}
    held: Held = {}
    # By name before by chance: a draw must not take an address that the same request names.
    if named := [w for w in wants if w.ip_address is not None]:
        await _take_named(uow, named, avoid, held=held)
    if drawn := [w for w in wants if w.ip_address is None]:
        await _take_any(uow, svc, drawn, avoid=avoid, held=held, network_id=network_id)
    return held


async def _take_named(uow: UnitOfWork, wants: Sequence[Want], avoid: dict[str, set[str]], *, held: Held) -> None:
    chosen = {(w.subnets[0].id, str(w.ip_address)): w for w in wants}
    for subnet_id, ip_address in chosen:
        avoid.setdefault(subnet_id, set()).add(ip_address)
    rows = [{"subnet_id": s, "ip_address": i, "port_id": w.port_id} for (s, i), w in chosen.items()]
    got = await db.take_addresses(uow, rows)
    lost = sorted(set(chosen) - got)
    if lost or len(chosen) < len(wants):
        subnet_id, ip_address = (lost or list(chosen))[0]
        raise IpAddressInUse(f"IP address {ip_address} already allocated in subnet {subnet_id}.")
    _hold(held, chosen, got)


def _hold(held: Held, chosen: dict[tuple[str, str], Want], got: set[tuple[str, str]]) -> None:
    for (subnet_id, ip_address), want in chosen.items():
        if (subnet_id, ip_address) in got:
            held.setdefault(want.port_id, []).append({"subnet_id": subnet_id, "ip_address": ip_address})


async def _take_any(uow: UnitOfWork, svc: Services, wants: Sequence[Want], *, avoid: dict[str, set[str]], held: Held, network_id: str) -> None:
    pending = list(wants)
    while pending:
        chosen: dict[tuple[str, str], Want] = {}
        for want in pending:
            place = _draw(svc, want, avoid)
            if place is None:
                raise IpAddressGenerationFailure(f"No more IP addresses available on network {network_id}.")
            avoid.setdefault(place[0], set()).add(place[1])
            chosen[place] = want
        rows = [{"subnet_id": s, "ip_address": i, "port_id": w.port_id} for (s, i), w in chosen.items()]
        got = await db.take_addresses(uow, rows)
        _hold(held, chosen, got)
        pending = [w for place, w in chosen.items() if place not in got]
        for subnet_id in {s for s, _ in set(chosen) - got}:
            avoid[subnet_id] |= await db.taken_addresses(uow, subnet_id)


def _draw(svc: Services, want: Want, avoid: dict[str, set[str]]) -> tuple[str, str] | None:
    for subnet in want.subnets:
        address = draw_address(subnet.allocation_pools, subnet.ip_version, avoid=avoid.get(subnet.id, ()), random=svc.ids.random)
        if address is not None:
            return subnet.id, address
    return None
