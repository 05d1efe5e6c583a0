"""The composition root of the identity service."""

from __future__ import annotations

from functools import partial

from synnefo_common.auth import TokenVerifier
from synnefo_common.bus import Bus
from synnefo_common.clock import Clock
from synnefo_common.http import HttpClient
from synnefo_common.ids import IdSource
from synnefo_common.policy import Policy
from synnefo_common.quota import QuotaClient
from synnefo_common.service import Service, make_kit
from synnefo_common.web import audit_router, create_service_app
from synnefo_common.web.dialects import IdentityDialect
from synnefo_identity.api import (
    assignments,
    auth,
    catalog,
    credentials,
    discovery,
    domains,
    ec2,
    groups,
    internal,
    limits,
    projects,
    roles,
    users,
)
from synnefo_identity.app import housekeeping
from synnefo_identity.app.audit import audit_facts
from synnefo_identity.app.bootstrap import bootstrap
from synnefo_identity.app.feed import Feed, OwnVerifier
from synnefo_identity.app.metrics import read_quota
from synnefo_identity.app.services import Services
from synnefo_identity.consumers.quota import quota_consumers
from synnefo_identity.db import all_tables
from synnefo_identity.domain.policy import RULES
from synnefo_identity.settings import Settings

_ROUTERS = (
    discovery,
    auth,
    users,
    groups,
    projects,
    domains,
    roles,
    assignments,
    catalog,
    limits,
    credentials,
    ec2,
    internal,
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
) -> Service:
    """The service; see `synnefo_common.service`."""
    kit = make_kit(settings, bus=bus, clock=clock, ids=ids, verifier=verifier, http=http, quota=quota)
    feed = Feed(kit.db, clock=kit.clock, poll_s=settings.revocation_poll_s)
    own = OwnVerifier(feed, clock=kit.clock, max_age_s=settings.common.revocation_max_age_s)
    if verifier is None:
        kit.verifier = own
    svc = Services(settings=settings, db=kit.db, clock=kit.clock, ids=kit.ids, feed=feed, own_verifier=own, peers=kit.peers)

    async def database_answers() -> str | None:
        await kit.db.ping()
        return None

    app = create_service_app(
        name=kit.name,
        dialect=IdentityDialect(),
        settings=settings,
        services=svc,
        routers=[*(module.router for module in _ROUTERS), audit_router(kit.db, partial(audit_facts, svc))],
        verifier=kit.verifier,
        policy=Policy(RULES),
        ready_checks=[database_answers],
        ids=kit.ids,
        refuse_nul=True,
        title="Synnefo Identity",
    )
    return Service(
        kit=kit,
        app=app,
        metadata=all_tables(),
        consumers=quota_consumers(),
        work_tasks=[partial(housekeeping.run_expiry, svc), partial(housekeeping.run_cleaning, svc)],
        on_start=[partial(bootstrap, svc)],
        state_metrics=[partial(read_quota, svc)],
        on_stop=[feed.close, svc.passwords.close],
    )
