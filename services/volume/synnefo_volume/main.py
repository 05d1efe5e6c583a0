"""Composition root of the volume service."""

from __future__ import annotations

from synnefo_archipelago import AsyncStore, open_store
from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.bus import Bus
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.saga import SagaEngine
from synnefo_common.service import Service, make_kit
from synnefo_common.store_metrics import store_observer
from synnefo_common.web import Microversions, Version, audit_router, create_service_app, reconcile_router
from synnefo_common.web.dialects import VolumeDialect
from synnefo_volume.api import (
    about,
    internal,
    quotas,
    snapshots,
    storage,
    versions,
    volume_actions,
    volume_metadata,
    volume_types,
    volumes,
)
from synnefo_volume.app.audit import audit_facts
from synnefo_volume.app.reconcile import volume_reconciler
from synnefo_volume.app.sagas import SAGAS
from synnefo_volume.app.services import Services
from synnefo_volume.app.storage_jobs import storage_reconciler
from synnefo_volume.app.volume_types import ensure_default
from synnefo_volume.clients.image import ImageClient
from synnefo_volume.db import all_tables
from synnefo_volume.domain.policy import POLICIES
from synnefo_volume.settings import Settings

VERSIONS = Microversions(service="volume", minimum=Version(3, 0), maximum=Version(3, 0))


def build(
    settings: Settings,
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    verifier: TokenVerifier | None = None,
    http: HttpClient | None = None,
    quota: QuotaClient | None = None,
) -> Service:
    """The volume service with all its parts."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    observe = store_observer(kit.name)
    store = AsyncStore(open_store(settings.store_url, observe=observe), threads=settings.store_threads)
    pools = {name: AsyncStore(open_store(url, observe=observe), threads=settings.store_threads) for name, url in settings.pools.items()}
    engine = SagaEngine(kit.db, service="volume", sagas=SAGAS)
    svc = Services(
        settings=settings,
        db=kit.db,
        clock=kit.clock,
        ids=kit.ids,
        quota=kit.quota,
        store=store,
        pools=pools,
        sagas=engine,
        image=ImageClient(kit.peers["image"]),
        compute=kit.peers["compute"],
        owners={name: kit.peers[name] for name in ("image", "object")},
    )
    engine.services = svc
    storage_work = storage_reconciler(svc)
    svc.nudge_storage = storage_work.nudge
    repair = volume_reconciler(svc)

    async def seed() -> None:
        await ensure_default(svc)

    app = create_service_app(
        name="volume",
        dialect=VolumeDialect(),
        settings=settings,
        services=svc,
        verifier=kit.verifier,
        policy=Policy(POLICIES),
        routers=[
            versions.router,
            volumes.router,
            volume_metadata.volume_router,
            volume_actions.router,
            snapshots.router,
            volume_metadata.snapshot_router,
            volume_types.router,
            quotas.router,
            about.router,
            internal.router,
            storage.router,
            audit_router(kit.db, lambda: audit_facts(svc)),
            reconcile_router([repair]),
        ],
        ready_checks=kit.ready_checks(),
        microversions=VERSIONS,
        strip_slash=False,
        ids=kit.ids,
    )
    return Service(
        kit=kit,
        app=app,
        metadata=all_tables(),
        sagas=engine,
        reconcilers=[repair, storage_work],
        on_start=[seed],
        on_stop=[store.close, *(pool.close for pool in pools.values())],
    )
