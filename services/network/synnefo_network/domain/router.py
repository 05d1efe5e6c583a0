"""What a router may be: subnets that do not overlap, routes whose next hop can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synnefo_network.domain.addresses import parse_cidr, parse_ip
from synnefo_network.domain.errors import BadResource
from synnefo_network.domain.router_errors import InvalidRoutes, RouterInterfaceInUseByRoute, RoutesExhausted

Route = dict[str, str]  # {"destination", "nexthop"}
INTERFACE_OWNER = "network:router_interface"
GATEWAY_OWNER = "network:router_gateway"


def check_overlap(subnets: Iterable[Any], connected: Iterable[Any]) -> None:
    """Subnets of one router may not overlap, nor be there twice. Both have `cidr`; ids are `id` and `subnet_id`. Raises BadResource."""
    known = [(c.subnet_id, c.cidr) for c in connected if c.subnet_id is not None]
    for subnet in subnets:
        prefix = parse_cidr(subnet.cidr)
        for other_id, other in known:
            if other_id == subnet.id:
                raise BadResource("router", f"Router already has a port on subnet {subnet.id}.")
            found = parse_cidr(other)
            if found.version == prefix.version and prefix.overlaps(found):
                raise BadResource("router", f"Cidr {prefix} of subnet {subnet.id} overlaps with cidr {other} of subnet {other_id}.")
        known.append((subnet.id, subnet.cidr))


def read_routes(given: Sequence[Mapping[str, str]]) -> list[Route]:
    """Routes in canonical form. Raises InvalidRoutes."""
    routes = []
    for route in given:
        destination = parse_cidr(route["destination"], what="destination")
        nexthop = parse_ip(route["nexthop"], what="nexthop")
        if destination.version != nexthop.version:
            raise InvalidRoutes(f"Invalid format for routes: {destination} via {nexthop}, the two are of different IP versions")
        routes.append({"destination": str(destination), "nexthop": str(nexthop)})
    if len({(r["destination"], r["nexthop"]) for r in routes}) != len(routes):
        raise InvalidRoutes("Invalid format for routes: the same route is given twice")
    return routes


def check_routes(routes: Sequence[Route], connected: Iterable[Any], *, most: int, router_id: str) -> None:
    """Every next hop is on a subnet of the router and not the router itself. Raises InvalidRoutes, RoutesExhausted."""
    if len(routes) > most:
        raise RoutesExhausted(f"Unable to complete operation for {router_id}. The number of routes exceeds the maximum {most}.")
    there = [c for c in connected if c.subnet_id is not None]
    own = {c.ip_address for c in there}
    prefixes = [parse_cidr(c.cidr) for c in there]
    for route in routes:
        nexthop = parse_ip(route["nexthop"])
        if route["nexthop"] in own:
            raise InvalidRoutes(f"Invalid format for routes: {routes}, the nexthop is used by router")
        if not any(nexthop in prefix for prefix in prefixes if prefix.version == nexthop.version):
            raise InvalidRoutes(f"Invalid format for routes: {routes}, the nexthop is not connected with router")


def check_routes_without(routes: Sequence[Route], left: Iterable[Any], *, gone: Sequence[Any], router_id: str) -> None:
    """No route goes through a subnet that is taken from the router. Raises RouterInterfaceInUseByRoute."""
    prefixes = [parse_cidr(c.cidr) for c in left if c.subnet_id is not None]
    for route in routes:
        nexthop = parse_ip(route["nexthop"])
        for subnet in gone:
            if nexthop in parse_cidr(subnet.cidr) and not any(nexthop in p for p in prefixes):
                raise RouterInterfaceInUseByRoute(
                    f"Router interface for subnet {subnet.subnet_id} on router {router_id} cannot be deleted, "
                    "as it is required by one or more routes."
                )


def merge_routes(before: Sequence[Route], added: Sequence[Route]) -> list[Route]:
    """`added` joined to `before`, each once."""
    return [*before, *(r for r in added if r not in before)]


def pick_router(candidates: Sequence[Any], *, gateway_ip: str | None) -> str | None:
    """The router for a floating IP: the subnet's gateway if it is among them, else the first."""
    for candidate in candidates:
        if candidate.ip_address == gateway_ip:
            return str(candidate.router_id)
    return str(candidates[0].router_id) if candidates else None
