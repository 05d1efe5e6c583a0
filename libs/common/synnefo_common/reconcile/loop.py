"""The loop of a reconciler: observe, a pure plan, a dull execution of its actions. What to compare is the service's.

A plan is a list of frozen dataclasses, so that a dry run is the same plan printed and a test compares values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from synnefo_common.db import Database
from synnefo_common.db.outbox import Wakeup
from synnefo_common.lease import Lease
from synnefo_common.log import get_logger

log = get_logger(__name__)

F = TypeVar("F")
A = TypeVar("A")

_actions = Counter(
    "synnefo_reconcile_actions_total", "Actions by outcome: done, failed.", ["reconciler", "action", "outcome"]
)
_runs = Counter("synnefo_reconcile_runs_total", "Runs by outcome: done, failed.", ["reconciler", "outcome"])
_seconds = Histogram("synnefo_reconcile_seconds", "Length of a run.", ["reconciler"])
_drift = Gauge("synnefo_reconcile_drift", "Actions that the last plan had.", ["reconciler"])


class Reconciler(Generic[F, A]):
    """One kind of drift. `observe()` gathers facts, `plan(facts)` decides without I/O, `execute(action)` does one.

    An action that fails is logged and left to the next run; the others are done. Actions must be safe to repeat and
    to find that somebody else was quicker.
    """

    def __init__(
        self,
        name: str,
        *,
        db: Database,
        observe: Callable[[], Awaitable[F]],
        plan: Callable[[F], Sequence[A]],
        execute: Callable[[A], Awaitable[Any]],
        period_s: float = 60.0,
        jitter: float = 0.1,
        holder: str | None = None,
    ) -> None:
        self.name = name
        self.db = db
        self.period_s = period_s
        self._observe = observe
        self._plan = plan
        self._execute = execute
        self._jitter = jitter
        self._lease = Lease(db, f"reconcile {name}", holder=holder, ttl_s=max(15.0, period_s / 2))
        self._nudged = Wakeup()

    def nudge(self) -> None:
        """Something suggests drift: run now (in this process), not at the end of the period."""
        self._nudged.set()

    async def run(self) -> None:
        """Run by period and by nudge until cancelled, where the lease is held. A failed run is logged and repeated."""
        while True:
            try:
                if await self._lease.hold():
                    await self.run_once()
            except Exception:
                _runs.labels(self.name, "failed").inc()
                log.warning("reconcile_failed", reconciler=self.name, exc_info=True)
            spread = 1 + self._jitter * (2 * self.db.ids.random() - 1)
            await self._nudged.wait(self.period_s * spread)

    async def run_once(self, *, dry_run: bool = False) -> list[A]:
        """One turn; the plan, of which nothing is executed in a dry run. Raises what `observe` and `plan` raise."""
        with _seconds.labels(self.name).time():
            actions = await self.look()
            if not dry_run:
                for action in actions:
                    await self.act(action)
        _runs.labels(self.name, "done").inc()
        return actions

    async def look(self) -> list[A]:
        """The plan for what is there now. Raises what `observe` and `plan` raise."""
        actions = list(self._plan(await self._observe()))
        _drift.labels(self.name).set(len(actions))
        return actions

    async def act(self, action: A) -> bool:
        """Execute one action of the plan; whether it succeeded."""
        kind = type(action).__name__
        try:
            await self._execute(action)
        except Exception:
            _actions.labels(self.name, kind, "failed").inc()
            log.warning("reconcile_action_failed", reconciler=self.name, action=str(action), exc_info=True)
            return False
        _actions.labels(self.name, kind, "done").inc()
        log.info("reconcile_action_done", reconciler=self.name, action=str(action))
        return True
