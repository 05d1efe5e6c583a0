"""What a saga is made of. Definitions only: `engine` runs them, `store` keeps them.

Rules for actions and undos:
- a `Remote` runs outside any transaction, perhaps more than once: it names its call with `ctx.key`;
- a `Local` runs in the transaction that also logs it: once in effect;
- an undo is called for every step that may have begun, so it tolerates that nothing happened (`ctx.out` may lack the
  step's answer) and that it is called again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_common.errors import Fault, Unavailable

Out = Mapping[str, Any] | None


class SagaState(StrEnum):
    """`running`, `waiting` and `unwinding` are alive; the others are final (`undo_failed` wants an operator)."""

    RUNNING = "running"
    WAITING = "waiting"
    UNWINDING = "unwinding"
    FINISHED = "finished"
    FAILED = "failed"
    UNDO_FAILED = "undo_failed"


LIVE = (SagaState.RUNNING, SagaState.WAITING, SagaState.UNWINDING)


class Abort(Exception):
    """Raised by an action: give up and unwind. The fault is what the owner will read."""

    def __init__(self, fault: Fault | str) -> None:
        self.fault = fault if isinstance(fault, Fault) else Fault(fault, code="saga.aborted")
        super().__init__(self.fault.message)


class Retry(Exception):
    """Raised by an action or undo: not yet; call again after `delay_s`. An action's deadline still holds."""

    def __init__(self, reason: str, *, delay_s: float = 1.0) -> None:
        self.delay_s = delay_s
        super().__init__(reason)


@dataclass(frozen=True)
class WaitLonger:
    """Returned by `on_timeout`: wait for so many seconds more."""

    timeout_s: float


@dataclass
class SagaContext:
    """What an action sees. `data` is what the saga was started with, `out` the answers of the steps by name."""

    id: str
    saga: str
    step: str
    data: dict[str, Any]
    out: dict[str, dict[str, Any]]
    services: Any
    attempt: int = 0  # earlier tries of this step that failed
    is_undo: bool = False
    error: dict[str, Any] | None = None  # while unwinding: why

    @property
    def action_key(self) -> str:
        """The idempotency key of the step's action, also as seen from its undo."""
        return f"{self.id}:{self.step}"

    @property
    def key(self) -> str:
        """The idempotency key for a call made now: an undo has its own."""
        return f"{self.action_key}:undo" if self.is_undo else self.action_key


RemoteAction = Callable[[SagaContext], Awaitable[Out]]
LocalAction = Callable[[UnitOfWork, SagaContext], Awaitable[Out]]
RemoteUndo = Callable[[SagaContext], Awaitable[Any]]
LocalUndo = Callable[[UnitOfWork, SagaContext], Awaitable[Any]]
OnTimeout = Callable[[UnitOfWork, SagaContext], Awaitable[Mapping[str, Any] | WaitLonger | None]]
Finished = Callable[[UnitOfWork, SagaContext], Awaitable[Any]]
Failed = Callable[[UnitOfWork, SagaContext, dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True)
class Remote:
    """A call to another service. A 404 from its undo counts as done.

    `logs_later`: the next step's log is this one's too, which saves a transaction; after a crash between the two this step is
    repeated. For steps without undo, before a Local or another such step.
    """

    name: str
    action: RemoteAction
    undo: RemoteUndo | None = None
    deadline_s: float = 120.0  # outages are retried for so long
    logs_later: bool = False


@dataclass(frozen=True)
class Local:
    """A change in this service's database."""

    name: str
    action: LocalAction
    undo: LocalUndo | None = None
    deadline_s: float = 120.0


@dataclass(frozen=True)
class Wait:
    """Parks until `engine.signal(uow, id, name, payload)`: it becomes `ctx.out[name]`, or aborts if it has `error`.

    `on_timeout(uow, ctx)` may return a payload in place of the signal, `WaitLonger`, or None, which aborts.
    """

    name: str
    timeout_s: float = 600.0
    on_timeout: OnTimeout | None = None
    undo: LocalUndo | None = None

    @property
    def deadline_s(self) -> float:
        """The time-out, under the name that the other kinds of step have."""
        return self.timeout_s


Step = Remote | Local | Wait


@dataclass(frozen=True)
class Saga:
    """Steps in order. `finished(uow, ctx)` and `failed(uow, ctx, error)` run in the transaction of the final log."""

    name: str
    steps: list[Step]
    finished: Finished | None = None
    failed: Failed | None = None
    index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(f"saga {self.name} has no steps")
        object.__setattr__(self, "index", {step.name: i for i, step in enumerate(self.steps)})
        if len(self.index) != len(self.steps):
            raise ValueError(f"saga {self.name}: two steps of one name")


_REPEATABLE = frozenset({401, 408, 425, 429})


def error_of(error: BaseException) -> dict[str, Any]:
    """An exception as the document kept in the row and given to `failed`."""
    fault = error.fault if isinstance(error, Abort) else error
    if isinstance(fault, Fault):
        return {
            "message": fault.message, "code": fault.code, "kind": fault.kind, "status": fault.http_status,
            "details": fault.details,
        }  # fmt: skip
    return {
        "message": "Internal error.",
        "code": "internal",
        "kind": type(error).__name__,
        "status": 500,
        "details": {},
    }


def is_final(error: BaseException) -> bool:
    """True if an action need not be tried again: `Abort` and every 4xx but 408, 425, 429.

    Nor 401: between services that is a token of ours that is not honoured at the moment, never the tenant's fault.
    """
    if isinstance(error, Abort):
        return True
    return isinstance(error, Fault) and 400 <= error.http_status < 500 and error.http_status not in _REPEATABLE


def timeout_error(saga: Saga, step: Step) -> Abort:
    """What an unanswered wait becomes."""
    return Abort(Unavailable(f"{saga.name}: no answer for step {step.name} in time.", code="saga.timeout"))


def crash_points(service: str, saga: Saga) -> list[str]:
    """Where the engine may be killed while it runs this saga."""
    names = []
    for step in saga.steps:
        base = f"{service}.{saga.name}.{step.name}"
        names += [f"{base}.before", f"{base}.after_effect", f"{base}.after_log"]
        if step.undo is not None:
            names += [f"{base}.undo.before", f"{base}.undo.after_effect", f"{base}.undo.after_log"]
    return names
