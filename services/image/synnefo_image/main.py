"""Composition root of the image service."""

from __future__ import annotations

from synnefo_archipelago import AsyncStore, open_store
from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.bus import Bus
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.service import Service, make_kit
from synnefo_common.store_metrics import store_observer
from synnefo_common.web import audit_router, create_service_app, reconcile_router
from synnefo_common.web.dialects import ImageDialect
from synnefo_image.api import data, images, internal, members, schema_documents, tags, versions
from synnefo_image.app.audit import audit_facts
from synnefo_image.app.reconcile import upload_reconciler
from synnefo_image.app.services import Services
from synnefo_image.db import all_tables
from synnefo_image.domain.policy import POLICIES
from synnefo_image.settings import Settings


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
    """The image service with all its parts."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    store = AsyncStore(open_store(settings.store_url, observe=store_observer(kit.name)), threads=settings.store_threads)
    services = Services(settings=settings, db=kit.db, clock=kit.clock, ids=kit.ids, quota=kit.quota, store=store)

    reconcilers = [upload_reconciler(services)]
    app = create_service_app(
        name="image",
        dialect=ImageDialect(),
        settings=settings,
        services=services,
        verifier=kit.verifier,
        policy=Policy(POLICIES),
        routers=[
            versions.router,
            images.router,
            data.router,
            members.router,
            tags.router,
            schema_documents.router,
            internal.router,
            audit_router(kit.db, lambda: audit_facts(services)),
            reconcile_router(reconcilers),
        ],
        ready_checks=kit.ready_checks(),
        is_stream=data.is_stream,
        strip_slash=False,
        ids=kit.ids,
    )
    return Service(
        kit=kit,
        app=app,
        metadata=all_tables(),
        on_stop=[store.close],
        reconcilers=reconcilers,
    )
