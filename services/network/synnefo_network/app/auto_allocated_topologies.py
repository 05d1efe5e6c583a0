"""A network for who asks for one and says no more: a subnet from each default pool, and a router to the default external network."""

from __future__ import annotations

from typing import Any

from synnefo_common.errors import Fault
from synnefo_common.web import Context
from synnefo_network.app import networks, router_interfaces, routers, subnets
from synnefo_network.app.services import Services, authorize
from synnefo_network.db import auto_allocated_topologies as db
from synnefo_network.db import networks as db_networks
from synnefo_network.db import ports as db_ports
from synnefo_network.db import routers as db_routers
from synnefo_network.db.subnet_pools import default_pool
from synnefo_network.domain.errors import AutoAllocationFailure, NetworkInUse, NotFound
from synnefo_network.domain.router import INTERFACE_OWNER

_NAME = "auto_allocated"


def _answer(network_id: str, project_id: str) -> dict[str, Any]:
    return {"id": network_id, "tenant_id": project_id, "project_id": project_id}


async def _requirements(svc: Services) -> tuple[str, list[Any]]:
    """The default external network and the default pools. Raises AutoAllocationFailure if they are not there."""
    async with svc.db.read() as uow:
        external = await db_networks.default_external(uow, other_than="")
        pools = [pool for version in (4, 6) if (pool := await default_pool(uow, version)) is not None]
    if external is None:
        raise AutoAllocationFailure("Deployment error: No default router:external network.")
    if not pools:
        raise AutoAllocationFailure("Deployment error: No default subnetpools defined.")
    return external, pools


async def check_requirements(svc: Services, ctx: Context, project_id: str) -> dict[str, Any]:
    """The dry run. Raises AutoAllocationFailure."""
    authorize(ctx, "get_auto_allocated_topology", {"project_id": project_id})
    await _requirements(svc)
    return _answer("dry-run=pass", project_id)


async def get_topology(svc: Services, ctx: Context, project_id: str) -> dict[str, Any]:
    """The project's network, made now if it has none. Raises AutoAllocationFailure, QuotaExceeded, the faults of making the parts."""
    authorize(ctx, "get_auto_allocated_topology", {"project_id": project_id})
    async with svc.db.read() as uow:
        found = await db.get_topology(uow, project_id)
    if found is not None:
        return _answer(found.network_id, project_id)
    external, pools = await _requirements(svc)
    made: dict[str, str] = {}
    try:
        await _build(svc, ctx, project_id, external=external, pools=pools, made=made)
        row = {"project_id": project_id, "network_id": made["network"], "router_id": made["router"]}
        async with svc.db.begin() as uow:
            if not await db.insert_topology(uow, row):
                raise AutoAllocationFailure("Another request has made it.")
        await networks.update_network(svc, ctx, made["network"], {"admin_state_up": True})
    except Fault:
        await _remove(svc, ctx, made.get("network"), made.get("router"))
        async with svc.db.read() as uow:
            found = await db.get_topology(uow, project_id)
        if found is None:
            raise
        return _answer(found.network_id, project_id)
    return _answer(made["network"], project_id)


async def _build(svc: Services, ctx: Context, project_id: str, *, external: str, pools: list[Any], made: dict[str, str]) -> None:
    """Part by part; `made` has those that are there. The network works only when all is done."""
    owner = {"project_id": project_id}
    (network,) = await networks.create_networks(svc, ctx, [{**owner, "name": f"{_NAME}_network", "admin_state_up": False}])
    made["network"] = network["id"]
    bodies = [
        {
            **owner,
            "name": f"{_NAME}_subnet_v{pool.ip_version}",
            "network_id": network["id"],
            "ip_version": pool.ip_version,
            "subnetpool_id": pool.id,
        }
        for pool in pools
    ]
    within = await subnets.create_subnets(svc, ctx, bodies)
    body = {**owner, "name": f"{_NAME}_router", "external_gateway_info": {"network_id": external}}
    (router,) = await routers.create_routers(svc, ctx, [body])
    made["router"] = router["id"]
    for subnet in within:
        await router_interfaces.add_interface(svc, ctx, router["id"], {"subnet_id": subnet["id"]})


async def delete_topology(svc: Services, ctx: Context, project_id: str) -> None:
    """Nothing to do if there is none. Raises NetworkInUse."""
    authorize(ctx, "delete_auto_allocated_topology", {"project_id": project_id})
    async with svc.db.read() as uow:
        found = await db.get_topology(uow, project_id)
        users = await db_ports.owners_on_network(uow, found.network_id) if found is not None else []
    if found is None:
        return
    if any(u.device_owner != INTERFACE_OWNER for u in users):
        raise NetworkInUse(f"Unable to complete operation on network {found.network_id}. There are one or more ports still in use on the network.")
    await _remove(svc, ctx, found.network_id, found.router_id)
    async with svc.db.begin() as uow:
        await db.delete_topology(uow, project_id)


async def _remove(svc: Services, ctx: Context, network_id: str | None, router_id: str | None) -> None:
    """What of it is there: its user may have taken some away."""
    if router_id is not None:
        async with svc.db.read() as uow:
            inside = (await db_routers.addresses_of(uow, [router_id], is_gateway=False))[router_id]
        for subnet_id in {a.subnet_id for a in inside if a.network_id == network_id}:
            await router_interfaces.remove_interface(svc, ctx, router_id, {"subnet_id": subnet_id})
        await _gone(routers.delete_router(svc, ctx, router_id))
    if network_id is not None:
        await _gone(networks.delete_network(svc, ctx, network_id))


async def _gone(deletion: Any) -> None:
    try:
        await deletion
    except NotFound:
        return
