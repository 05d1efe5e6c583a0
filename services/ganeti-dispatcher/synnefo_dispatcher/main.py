"""Composition root of the dispatcher."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from synnefo_common.auth.verifier import TokenVerifier
from synnefo_common.bus import Bus, ConsumerRunner, Consumers
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.log import get_logger
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.service import Service, make_kit
from synnefo_common.web import audit_router, create_service_app
from synnefo_common.web.dialects import InternalDialect
from synnefo_dispatcher.api import clusters, internal, jobs
from synnefo_dispatcher.app.core import Dispatcher
from synnefo_dispatcher.app.fleet import Fleet
from synnefo_dispatcher.app.instances import audit_facts
from synnefo_dispatcher.app.metrics import read_jobs
from synnefo_dispatcher.clients.connections import Connections
from synnefo_dispatcher.clients.vault import Vault
from synnefo_dispatcher.consumers.jobs import cluster_consumers
from synnefo_dispatcher.db import all_tables
from synnefo_dispatcher.db.jobs import prune
from synnefo_dispatcher.domain.policy import RULES
from synnefo_dispatcher.settings import Settings

log = get_logger(__name__)


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
    """The service, not started."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    vault = Vault(
        settings.secret_key, service_password=settings.service_password, service_password_old=settings.service_password_old
    )
    connections = Connections(vault, timeout_s=settings.rapi_timeout_s)
    dispatcher = Dispatcher(settings=settings, db=kit.db, clock=kit.clock, vault=vault, connections=connections)
    fleet = Fleet(dispatcher, ConsumerRunner(kit.db, kit.bus, cluster_consumers(dispatcher)))

    async def forget_old_jobs() -> None:
        while True:
            try:
                async with kit.db.begin() as uow:
                    await prune(uow, older_than_s=settings.job_retention_s)
            except (DBAPIError, OSError) as error:
                log.warning("pruning_failed", error=repr(error))
            await kit.clock.sleep(3600.0)

    audit = audit_router(kit.db, lambda: audit_facts(dispatcher))
    app = create_service_app(
        name="dispatcher", dialect=InternalDialect(), settings=settings, services=dispatcher,
        routers=[clusters.router, jobs.router, internal.router, audit], verifier=kit.verifier, policy=Policy(RULES),
        ready_checks=kit.ready_checks(), ids=kit.ids,
    )  # fmt: skip
    return Service(
        kit=kit, app=app, metadata=all_tables(), consumers=Consumers("dispatcher"),
        work_tasks=[fleet.run, forget_old_jobs], on_declare=[fleet.declare], on_stop=[connections.close],
        state_metrics=[lambda: read_jobs(dispatcher)],
    )  # fmt: skip
