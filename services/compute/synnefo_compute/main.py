"""Composition root of compute: the only place that reads its settings and builds its parts."""

from __future__ import annotations

from typing import Any

from synnefo_common.bus import Bus, Consumers
from synnefo_common.clock import Clock
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.saga import SagaEngine
from synnefo_common.service import Service, make_kit
from synnefo_common.web import Microversions, Version, audit_router, create_service_app, reconcile_router
from synnefo_common.web.dialects import ComputeDialect
from synnefo_compute.api import (
    attachments,
    clusters,
    flavors,
    instance_actions,
    internal,
    keypairs,
    metadata,
    quotas,
    server_actions,
    server_groups,
    server_metadata,
    server_password,
    servers,
    usage,
    versions,
)  # fmt: skip
from synnefo_compute.app.core import Compute
from synnefo_compute.app.internal import audit_facts
from synnefo_compute.app.metrics import read_capacity
from synnefo_compute.app.reconcile import instances_reconciler, orphans_reconciler
from synnefo_compute.app.sagas import all_sagas
from synnefo_compute.clients.dispatcher import DispatcherClient
from synnefo_compute.clients.image import ImageClient
from synnefo_compute.clients.network import NetworkClient
from synnefo_compute.clients.volume import VolumeClient
from synnefo_compute.consumers import clusters as cluster_consumers
from synnefo_compute.consumers import jobs as job_consumers
from synnefo_compute.consumers import projections as projection_consumers
from synnefo_compute.db import all_tables
from synnefo_compute.domain.policy import RULES
from synnefo_compute.settings import Settings


def build(
    settings: Settings,
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    verifier: Any = None,
    http: Any = None,
    quota: Any = None,
) -> Service:
    """The whole service; tests replace any part."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    sagas = SagaEngine(kit.db, service="compute")
    compute = Compute(
        settings=settings, db=kit.db, clock=kit.clock, ids=kit.ids, quota=kit.quota, sagas=sagas,
        image=ImageClient(kit.peers["image"]), network=NetworkClient(kit.peers["network"]), volume=VolumeClient(kit.peers["volume"]),
        dispatcher=DispatcherClient(kit.peers["dispatcher"]), url=settings.common.public_urls["compute"].rstrip("/") + "/v2.1",
        vendor_data=settings.vendor_data(),
    )  # fmt: skip
    for saga in all_sagas(compute):
        sagas.register(saga)
    consumers = Consumers("compute")
    job_consumers.register(consumers, compute)
    projection_consumers.register(consumers)
    cluster_consumers.register(consumers, compute)
    reconcilers = [instances_reconciler(compute)]
    app = create_service_app(
        name="compute", dialect=ComputeDialect(), settings=settings, services=compute, verifier=kit.verifier, policy=Policy(RULES), ids=kit.ids,
        routers=[
            versions.router, flavors.router, keypairs.router, quotas.router, clusters.router, usage.router, server_metadata.router,
            server_password.router, server_groups.router, attachments.router, instance_actions.router, server_actions.router, servers.router,
            internal.router,
            audit_router(kit.db, lambda: audit_facts(compute)), reconcile_router(reconcilers, by_request=[orphans_reconciler(compute)]),
        ],
        strip_slash=False,
        microversions=Microversions(
            service="compute", minimum=Version.of(versions.MINIMUM), maximum=Version.of(versions.MAXIMUM),
            legacy_header="X-OpenStack-Nova-API-Version",
        ),
        ready_checks=kit.ready_checks(),
    )  # fmt: skip
    return Service(
        kit=kit, app=app, metadata=all_tables(), consumers=consumers, sagas=sagas, reconcilers=reconcilers,
        extra_apps=[(settings.metadata_host, settings.metadata_port, metadata.metadata_app(compute))] if settings.metadata_secret else [],
        state_metrics=[lambda: read_capacity(compute)],
    )  # fmt: skip
