"""Composition root of the network service."""

from __future__ import annotations

from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.bus import Bus, Consumers
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.service import Service, make_kit
from synnefo_common.web import audit_router, create_service_app, reconcile_router
from synnefo_common.web.dialects import NetworkDialect
from synnefo_network.api import (
    address_groups,
    address_history,
    address_scopes,
    agents,
    auto_allocated_topologies,
    availability_zones,
    default_security_group_rules,
    floating_ips,
    internal_servers,
    network_ip_availabilities,
    networks,
    port_forwardings,
    ports,
    qos_policies,
    qos_rules,
    quotas,
    rbac_policies,
    root,
    routers,
    security_group_rules,
    security_groups,
    subnet_pools,
    subnets,
    tags,
)
from synnefo_network.app.agents import follow_agents
from synnefo_network.app.audit import audit_facts
from synnefo_network.app.driver import Driver, MemoryDriver
from synnefo_network.app.metrics import read_pools
from synnefo_network.app.orphans import orphans_reconciler
from synnefo_network.app.projection import Projection
from synnefo_network.app.services import Services
from synnefo_network.consumers import projects
from synnefo_network.db import all_tables
from synnefo_network.domain.policy import RULES
from synnefo_network.settings import Settings

ROUTERS = (
    root.router,
    networks.router,
    subnets.router,
    ports.router,
    security_groups.router,
    security_group_rules.router,
    default_security_group_rules.router,
    floating_ips.router,
    port_forwardings.router,
    routers.router,
    address_scopes.router,
    subnet_pools.router,
    address_groups.router,
    rbac_policies.router,
    qos_policies.router,
    qos_rules.router,
    quotas.router,
    availability_zones.router,
    agents.router,
    auto_allocated_topologies.router,
    network_ip_availabilities.router,
    internal_servers.router,
    address_history.router,
    tags.router,
)


def make_driver(settings: Settings, ids: IdSource) -> Driver:
    """OVN where the settings name it, else memory."""
    if not settings.ovn_northbound:
        return MemoryDriver()
    from synnefo_network.clients.ovn.driver import OvnDriver

    return OvnDriver(
        northbound=settings.ovn_northbound,
        southbound=settings.ovn_southbound,
        northd_remote=settings.ovn_northd_remote,
        check_s=settings.ovn_check_s,
        grace_s=settings.ovn_grace_s,
        ids=ids,
    )


def build(
    settings: Settings,
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    verifier: TokenVerifier | None = None,
    http: HttpClient | None = None,
    quota: QuotaClient | None = None,
    driver: Driver | None = None,
) -> Service:
    """The service, not started."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    services = Services(
        db=kit.db,
        clock=kit.clock,
        ids=kit.ids,
        quota=kit.quota,
        driver=driver or make_driver(settings, kit.ids),
        settings=settings,
        peers=kit.peers,
    )
    consumers = Consumers("network")
    projects.register(consumers)

    reconcilers = [orphans_reconciler(services)]
    app = create_service_app(
        name="network",
        dialect=NetworkDialect(),
        settings=settings,
        services=services,
        routers=(*ROUTERS, audit_router(kit.db, lambda: audit_facts(services)), reconcile_router(reconcilers)),
        verifier=kit.verifier,
        policy=Policy(RULES),
        ready_checks=kit.ready_checks(),
        ids=kit.ids,
    )
    return Service(
        kit=kit,
        app=app,
        metadata=all_tables(),
        consumers=consumers,
        reconcilers=reconcilers,
        work_tasks=[lambda: follow_agents(services), *([Projection(services).run] if services.driver.is_followed else [])],
        state_metrics=[lambda: read_pools(services)],
    )
