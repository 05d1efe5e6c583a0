"""The cidr of a new subnet from a subnet pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.sharing import load_shareable
from synnefo_network.app.subnet_pools import KIND
from synnefo_network.db import subnet_pools as db
from synnefo_network.domain.addresses import parse_cidr
from synnefo_network.domain.errors import BadResource, InvalidInput, SubnetPoolNotFound, SubnetPoolQuotaExceeded
from synnefo_network.domain.subnet_pool import check_free, check_length, draw_prefix, quota_units

PREFIX_DELEGATION = "prefix_delegation"


def names_pool(given: Mapping[str, Any]) -> bool:
    """Whether the subnet is to be from a pool."""
    return bool(given.get("subnetpool_id") or given.get("use_default_subnetpool"))


async def allocate_cidr(uow: UnitOfWork, ctx: Context, given: Mapping[str, Any], *, owner: str) -> dict[str, Any]:
    """`cidr` and `subnetpool_id` of the subnet; the pool is held until the transaction ends.

    Raises SubnetPoolNotFound, BadResource, SubnetAllocationError, SubnetPoolQuotaExceeded, the faults of prefix lengths.
    """
    pool = await _find_pool(uow, ctx, given)
    asked_version = given.get("ip_version", pool.ip_version)
    if asked_version != pool.ip_version:
        raise BadResource("subnets", f"Cannot allocate IPv{asked_version} subnet from IPv{pool.ip_version} subnet pool")
    allocated = await db.allocations(uow, pool.id)
    taken = [a.cidr for a in allocated]
    if given.get("cidr"):
        if given.get("prefixlen") is not None:
            raise BadResource("subnets", "cidr and prefixlen must not be supplied together")
        prefix = parse_cidr(given["cidr"])
        check_length(pool, prefix.prefixlen)
        check_free(pool, prefix, taken)
    else:
        if given.get("allocation_pools"):
            raise BadResource("subnets", "allocation_pools allowed only for specific subnet requests.")
        if given.get("gateway_ip"):
            raise BadResource("subnets", "gateway_ip allowed only for specific subnet requests.")
        length = given.get("prefixlen")
        length = pool.default_prefixlen if length is None else length
        check_length(pool, length)
        prefix = draw_prefix(pool, length, taken)
    if pool.default_quota is not None:
        used = sum(quota_units(a.cidr) for a in allocated if a.project_id == owner)
        if used + quota_units(str(prefix)) > pool.default_quota:
            raise SubnetPoolQuotaExceeded("Per-project subnet pool prefix quota exceeded.")
    return {"cidr": str(prefix), "ip_version": pool.ip_version, "subnetpool_id": pool.id}


async def _find_pool(uow: UnitOfWork, ctx: Context, given: Mapping[str, Any]) -> Any:
    pool_id = given.get("subnetpool_id")
    if pool_id == PREFIX_DELEGATION:
        raise InvalidInput("Prefix delegation is not supported by this cloud: name a subnet pool or give the subnet's cidr.")
    if pool_id and given.get("use_default_subnetpool"):
        raise BadResource("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified")
    if not pool_id:
        version = given.get("ip_version", 4)
        default = await db.default_pool(uow, version)
        if default is None:
            raise BadResource("subnets", f"No default subnetpool found for IPv{version}")
        pool_id = default.id
    await load_shareable(uow, ctx, KIND, pool_id)
    pool = await db.lock_pool(uow, pool_id)
    if pool is None:
        raise SubnetPoolNotFound(pool_id)
    return pool
