"""What a subnet pool may be, and which prefix of it a subnet gets: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import collapse_addresses
from typing import Any

from synnefo_network.domain.addresses import Prefix, parse_cidr
from synnefo_network.domain.errors import (
    EmptySubnetPoolPrefixList,
    IllegalSubnetPoolPrefixBounds,
    IllegalSubnetPoolPrefixUpdate,
    MaxPrefixSubnetAllocationError,
    MinPrefixSubnetAllocationError,
    PrefixVersionMismatch,
    SubnetAllocationError,
    UnsupportedMinSubnetPoolPrefix,
)

_LEAST = 8  # a shorter prefix is not a pool but half the internet
_DEFAULT_MIN = {4: 8, 6: 64}
_WHOLE = {4: 32, 6: 128}


def read_prefixes(given: Sequence[str]) -> list[Prefix]:
    """The prefixes joined where they touch, in order. Raises EmptySubnetPoolPrefixList, PrefixVersionMismatch, InvalidInput."""
    prefixes = [parse_cidr(text, what="prefix") for text in given]
    if not prefixes:
        raise EmptySubnetPoolPrefixList("Empty subnet pool prefix list.")
    if len({p.version for p in prefixes}) > 1:
        raise PrefixVersionMismatch("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
    return [*collapse_addresses(prefixes)]  # type: ignore[type-var]


def read_bounds(given: Mapping[str, Any], *, version: int) -> dict[str, int]:
    """The three prefix lengths, defaults filled in. Raises UnsupportedMinSubnetPoolPrefix, IllegalSubnetPoolPrefixBounds."""
    least = given.get("min_prefixlen")
    least = _DEFAULT_MIN[version] if least is None else least
    most = given.get("max_prefixlen")
    most = _WHOLE[version] if most is None else most
    usual = given.get("default_prefixlen")
    usual = least if usual is None else usual
    if least < _LEAST:
        raise UnsupportedMinSubnetPoolPrefix(f"Prefix '{least}' not supported in IPv{version} pool.")
    for name, value, base_name, base, is_wrong in (
        ("max_prefixlen", most, "prefix", _WHOLE[version], most > _WHOLE[version]),
        ("min_prefixlen", least, "max_prefixlen", most, least > most),
        ("default_prefixlen", usual, "min_prefixlen", least, usual < least),
        ("default_prefixlen", usual, "max_prefixlen", most, usual > most),
    ):
        if is_wrong:
            raise IllegalSubnetPoolPrefixBounds(f"Illegal prefix bounds: {name}={value}, {base_name}={base}.")
    return {"min_prefixlen": least, "max_prefixlen": most, "default_prefixlen": usual}


def check_growth(before: Sequence[str], after: Sequence[Prefix]) -> None:
    """A change of prefixes takes nothing away. Raises IllegalSubnetPoolPrefixUpdate."""
    for text in before:
        if not any(_within(parse_cidr(text), prefix) for prefix in after):
            raise IllegalSubnetPoolPrefixUpdate("Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.")


def without(before: Sequence[str], gone: Sequence[Prefix], *, allocated: Sequence[str]) -> list[Prefix]:
    """The prefixes less some. Raises IllegalSubnetPoolPrefixUpdate for one that a subnet has a part of."""
    left = [parse_cidr(text) for text in before]
    for prefix in gone:
        for cidr in allocated:
            if parse_cidr(cidr).overlaps(prefix):
                raise IllegalSubnetPoolPrefixUpdate(f"Illegal update to prefixes: subnet {cidr} is allocated from {prefix}.")
        left = [part for old in left for part in _minus(old, prefix)]
    return left


def _minus(old: Prefix, gone: Prefix) -> list[Prefix]:
    if _within(old, gone):
        return []
    if _within(gone, old):
        return [*old.address_exclude(gone)]  # type: ignore[arg-type]
    return [old]


def _within(inner: Prefix, outer: Prefix) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def overlap(mine: Sequence[str], others: Sequence[str]) -> bool:
    """Whether any two prefixes have an address in common."""
    return any(a.version == b.version and a.overlaps(b) for a in map(parse_cidr, mine) for b in map(parse_cidr, others))


def check_length(pool: Any, length: int) -> None:
    """Raises MinPrefixSubnetAllocationError, MaxPrefixSubnetAllocationError."""
    if length < pool.min_prefixlen:
        raise MinPrefixSubnetAllocationError(
            f"Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {pool.min_prefixlen}."
        )
    if length > pool.max_prefixlen:
        raise MaxPrefixSubnetAllocationError(
            f"Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {pool.max_prefixlen}."
        )


def check_free(pool: Any, wanted: Prefix, allocated: Sequence[str]) -> None:
    """The prefix is in the pool and nobody's. Raises SubnetAllocationError."""
    inside = any(_within(wanted, parse_cidr(p)) for p in pool.prefixes)
    if not inside or overlap([str(wanted)], allocated):
        raise SubnetAllocationError("Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.")


def draw_prefix(pool: Any, length: int, allocated: Sequence[str]) -> Prefix:
    """The first free prefix of the length, in the smallest of the pool's prefixes that has one. Raises SubnetAllocationError."""
    taken = sorted((int(p.network_address), int(p.broadcast_address)) for p in map(parse_cidr, allocated))
    for prefix in sorted(map(parse_cidr, pool.prefixes), key=lambda p: -p.prefixlen):
        if prefix.prefixlen > length:
            continue
        found = _first_gap(int(prefix.network_address), int(prefix.broadcast_address), 1 << (prefix.max_prefixlen - length), taken)
        if found is not None:
            kind = type(prefix.network_address)
            return parse_cidr(f"{kind(found)}/{length}")
    raise SubnetAllocationError(f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}.")


def _first_gap(low: int, high: int, size: int, taken: Sequence[tuple[int, int]]) -> int | None:
    """The first multiple of `size` in low..high that no span of `taken` (in order) touches."""
    start = low
    for first, last in taken:
        if last < start:
            continue
        if first >= start + size:
            break
        start = -(-(last + 1) // size) * size
    return start if start + size - 1 <= high else None


def quota_units(cidr: str) -> int:
    """What a subnet counts in its pool's quota: addresses of IPv4, /64 of IPv6."""
    prefix = parse_cidr(cidr)
    return prefix.num_addresses if prefix.version == 4 else max(1, prefix.num_addresses >> 64)
