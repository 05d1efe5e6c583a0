"""Addresses, pools and MACs: pure arithmetic. Not for what is taken: that is the table `ip_allocations`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Any

from synnefo_network.domain.errors import InvalidInput, OutOfBoundsAllocationPool, OverlappingAllocationPools

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Pool = dict[str, str]  # {"start", "end"}, inclusive

_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")
EXACT_POOL_SIZE = 1 << 16  # up to here a crowded pool is searched exactly, above by sampling first
AUTO_MODES = ("slaac", "dhcpv6-stateless")


def parse_ip(text: str, *, what: str = "IP address") -> Address:
    """Raises InvalidInput."""
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    if found is None or "%" in text:  # no scope ids
        raise InvalidInput(f"{text[:60]!r} is not a valid {what}.")
    return found


def parse_cidr(text: str, *, what: str = "CIDR") -> Prefix:
    """A prefix with its host bits cut off. Raises InvalidInput."""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        found = None
    if found is None or "%" in text or "/" not in text:
        raise InvalidInput(f"{text[:60]!r} is not a valid {what}: use for example 192.0.2.0/24 or 2001:db8::/64.")
    return found


def parse_mac(text: str) -> str:
    """Lower case with colons; a unicast address. Raises InvalidInput."""
    mac = text.strip().lower().replace("-", ":")
    if re.fullmatch(r"[0-9a-f]{12}", mac):
        mac = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
    if not _MAC.match(mac) or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
        raise InvalidInput(f"{text[:40]!r} is not a valid MAC address.")
    return mac


def make_mac(base: str, random: Callable[[], float]) -> str:
    """A random MAC below the base prefix: octets of the base that are 00 after the third are drawn."""
    octets = base.lower().split(":")
    drawn = [o if i < 3 or o != "00" else f"{int(random() * 256):02x}" for i, o in enumerate(octets)]
    return ":".join(drawn)


def first_host(prefix: Prefix) -> Address:
    """The gateway by default."""
    return prefix.network_address + (0 if prefix.prefixlen >= prefix.max_prefixlen - 1 and prefix.version == 4 else 1)


def host_bounds(prefix: Prefix) -> tuple[int, int]:
    """The least and greatest number of an address for a host.

    No network or broadcast address, no subnet-router anycast.
    """
    low, high = int(prefix.network_address), int(prefix.broadcast_address)
    if prefix.version == 4:
        return (low, high) if prefix.prefixlen >= 31 else (low + 1, high - 1)
    return (low, high) if prefix.prefixlen >= 127 else (low + 1, high)


def is_host(prefix: Prefix, address: Address) -> bool:
    """Whether a port may have the address in this prefix."""
    low, high = host_bounds(prefix)
    return address.version == prefix.version and low <= int(address) <= high


def default_pools(prefix: Prefix, gateway: Address | None) -> list[Pool]:
    """All host addresses but the gateway."""
    low, high = host_bounds(prefix)
    spans = [(low, high)]
    if gateway is not None and low <= int(gateway) <= high:
        spans = [(low, int(gateway) - 1), (int(gateway) + 1, high)]
    kind = type(prefix.network_address)
    return [{"start": str(kind(a)), "end": str(kind(b))} for a, b in spans if a <= b]


def check_pools(pools: Sequence[Pool], prefix: Prefix) -> list[Pool]:
    """The pools in canonical form and order.

    Raises OutOfBoundsAllocationPool, OverlappingAllocationPools, InvalidInput.
    """
    spans = []
    low, high = host_bounds(prefix)
    for pool in pools:
        start, end = parse_ip(pool["start"]), parse_ip(pool["end"])
        shown = f"{pool['start']}-{pool['end']}"
        if start.version != prefix.version or end.version != prefix.version or int(start) > int(end):
            raise InvalidInput(f"The allocation pool {shown} is not valid.", kind="InvalidAllocationPool")
        if int(start) < low or int(end) > high:
            raise OutOfBoundsAllocationPool(f"The allocation pool {shown} spans beyond the subnet cidr {prefix}.")
        spans.append((int(start), int(end), {"start": str(start), "end": str(end)}))
    spans.sort(key=lambda s: s[0])
    for before, after in pairwise(spans):
        if after[0] <= before[1]:
            a, b = before[2], after[2]
            raise OverlappingAllocationPools(
                f"Found overlapping allocation pools: {a['start']}-{a['end']} {b['start']}-{b['end']} for subnet {prefix}."
            )
    return [s[2] for s in spans]


def pool_spans(pools: Sequence[Pool]) -> list[tuple[int, int]]:
    """The pools as numbers."""
    return [(int(ip_address(p["start"])), int(ip_address(p["end"]))) for p in pools]


def pool_size(pools: Sequence[Pool]) -> int:
    """How many addresses the pools hold."""
    return sum(b - a + 1 for a, b in pool_spans(pools))


def pools_hold(pools: Sequence[Pool], address: Address) -> bool:
    """Whether the address is in a pool."""
    return any(a <= int(address) <= b for a, b in pool_spans(pools))


def draw_address(pools: Sequence[Pool], version: int, *, avoid: Collection[str], random: Callable[[], float]) -> str | None:
    """A random address of the pools that is not in `avoid`, or None if there is none.

    Random, because parallel callers then seldom meet. Pools above EXACT_POOL_SIZE are sampled; if they are
    all but full that may miss a free address, and the next caller's draw may find it.
    """
    spans = pool_spans(pools)
    size = sum(b - a + 1 for a, b in spans)
    kind = IPv4Address if version == 4 else IPv6Address

    def at(index: int) -> str:
        for a, b in spans:
            if index <= b - a:
                return str(kind(a + index))
            index -= b - a + 1
        raise IndexError(index)

    if size == 0:
        return None
    for _ in range(16):
        address = at(min(int(random() * size), size - 1))
        if address not in avoid:
            return address
    if size <= EXACT_POOL_SIZE:
        free = [text for i in range(size) if (text := at(i)) not in avoid]
        return free[min(int(random() * len(free)), len(free) - 1)] if free else None
    start = int(random() * size)
    for step in range(min(size, len(avoid) + 1)):
        address = at((start + step) % size)
        if address not in avoid:
            return address
    return None


def eui64(prefix: Prefix, mac: str) -> str:
    """The address that SLAAC gives a NIC with this MAC."""
    octets = [int(o, 16) for o in mac.split(":")]
    interface = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return str(IPv6Address(int(prefix.network_address) | int.from_bytes(interface, "big")))


def is_automatic(subnet: Any) -> bool:
    """Whether hosts of the subnet make their own address (SLAAC)."""
    return subnet.ipv6_address_mode in AUTO_MODES
