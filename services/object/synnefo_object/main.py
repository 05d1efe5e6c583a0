"""The composition root of the object service."""

from __future__ import annotations

from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.bus import Bus
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.service import Service, make_kit
from synnefo_common.store_metrics import store_observer
from synnefo_common.web import audit_router, create_service_app
from synnefo_common.web.dialects import ObjectDialect
from synnefo_object.api import document, internal, routes
from synnefo_object.api.s3 import dispatch
from synnefo_object.api.s3 import document as s3_document
from synnefo_object.app import expiry, usage
from synnefo_object.app.audit import audit_facts
from synnefo_object.app.pithos import housekeeping
from synnefo_object.app.services import Services
from synnefo_object.app.slices import Slices
from synnefo_object.app.stores import open_stores
from synnefo_object.clients.names import Names
from synnefo_object.clients.signing_keys import SigningKeys
from synnefo_object.db import all_tables
from synnefo_object.settings import Settings


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
    """Everything wired together; nothing is started."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    stores = open_stores(settings.storage_policies(), settings.store_url, threads=settings.store_threads, observe=store_observer(kit.name))
    names = Names(kit.peers["identity"], clock=kit.clock, cache_s=settings.names_cache_s)
    svc = Services(
        settings=settings,
        db=kit.db,
        clock=kit.clock,
        ids=kit.ids,
        stores=stores,
        quota=kit.quota,
        verifier=kit.verifier,
        names=names,
        slices=Slices(kit.db, kit.quota, kit.clock, size_bytes=settings.quota_slice_bytes, idle_s=settings.quota_slice_idle_s),
        signing_keys=SigningKeys(kit.peers["identity"], clock=kit.clock, cache_s=settings.signing_keys_cache_s),
        limits={},
    )

    app = create_service_app(
        name="object",
        dialect=ObjectDialect(),
        settings=settings,
        services=svc,
        routers=[document.router(), s3_document.router(), internal.router, audit_router(kit.db, lambda: audit_facts(svc))],
        verifier=kit.verifier,
        policy=Policy([]),
        ready_checks=kit.ready_checks(),
        strip_slash=False,
        is_stream=lambda _method, path: not path.startswith("/internal/"),
        ids=kit.ids,
        title="Synnefo Object Storage (Swift v1, S3)",
    )
    dispatch.install(app, svc)
    routes.install(app, svc)
    return Service(
        kit,
        app,
        all_tables(),
        work_tasks=[lambda: expiry.run(svc), lambda: usage.run(svc), lambda: housekeeping.run(svc)],
        on_stop=[svc.slices.close, stores.close],
    )
