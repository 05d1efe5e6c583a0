"""All rows of a topology."""

from __future__ import annotations

from collections.abc import Sequence

from synnefo_network.domain.northbound.groups import address_group_rows, drop_rows, security_group_rows
from synnefo_network.domain.northbound.ports import port_rows
from synnefo_network.domain.northbound.routers import router_rows
from synnefo_network.domain.northbound.rows import Row
from synnefo_network.domain.northbound.switches import network_rows
from synnefo_network.domain.northbound.topology import Chassis, Topology


def rows_of(topology: Topology, chassis: Sequence[Chassis], *, is_whole: bool = False) -> list[Row]:
    """The rows of everything in the topology, what others hang in first."""
    rows: list[Row] = list(drop_rows()) if is_whole else []
    for network in topology.networks.values():
        rows += network_rows(topology, network)
    for address_group in topology.address_groups.values():
        rows += address_group_rows(address_group)
    for group in topology.security_groups.values():
        rows += security_group_rows(topology, group)
    for port in topology.ports.values():
        rows += port_rows(topology, port)
    for router in topology.routers.values():
        rows += router_rows(topology, router, chassis)
    return rows
