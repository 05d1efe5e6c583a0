"""Gauges of the quota ledger: commissions that nobody has decided yet."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily

from synnefo_common.clock import MICROS
from synnefo_identity.app.services import Services
from synnefo_identity.db import quota as db


async def read_quota(svc: Services) -> Sequence[GaugeMetricFamily]:
    """One statement."""
    async with svc.db.read() as uow:
        rows = await db.pending_by_issuer(uow)
    now = svc.clock.now_us()
    count = GaugeMetricFamily("synnefo_quota_pending", "Quota commissions neither accepted nor rejected.", labels=["issuer"])
    age = GaugeMetricFamily("synnefo_quota_pending_oldest_seconds", "Age of the oldest undecided commission.", labels=["issuer"])
    for row in rows:
        count.add_metric([row.issuer], row.number)
        age.add_metric([row.issuer], (now - row.oldest) / MICROS)
    return [count, age]
