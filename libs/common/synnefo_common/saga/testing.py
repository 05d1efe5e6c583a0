"""The three tests that every saga must pass, and the registry that shows which saga has none.

    @contextlib.asynccontextmanager
    async def lab() -> AsyncIterator[Lab]: …            # a new database (with a clock that can `advance`) and new fakes

    TestServerCreate = saga_tests("compute", server_create, lab)

    def test_every_saga_is_tested() -> None:
        assert_all_tested("compute", engine.sagas.values())

`Lab.snapshot` returns everything that the saga touches, own rows and fakes, as a value to compare; random ids are left
out of it. The saga's `finished` and `failed` hooks are not run when it is unwound: they say how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from sqlalchemy import select

from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.tables import sagas
from synnefo_common.saga.engine import SagaEngine
from synnefo_common.saga.model import (
    Abort,
    Local,
    Remote,
    Retry,
    Saga,
    SagaContext,
    SagaState,
    Step,
    Wait,
    crash_points,
)

__all__ = ["Lab", "assert_all_tested", "crash_points", "saga_tests"]

SAGA_ID = "5a6a0000-0000-4000-8000-000000000001"
_ROUNDS = 200

_tested: set[tuple[str, str]] = set()


@dataclass
class Lab:
    """A world to run one saga in, once."""

    db: Database
    services: Any
    data: Mapping[str, Any]
    snapshot: Callable[[], Awaitable[Any]]
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # payload for each wait
    saga: Saga | None = None  # if it is made anew for each world; else the one given to `saga_tests`
    # For a saga that by design does not go back to the state before: (step, "before" | "after" its action) looks at what
    # an error there left. Its `failed` hook is run then.
    after_failure: Callable[[str, str], Awaitable[None]] | None = None


MakeLab = Callable[[], AbstractAsyncContextManager[Lab]]


def saga_tests(service: str, saga: Saga, make_lab: MakeLab) -> type:
    """A test class with the three tests, each for every step; registers the saga as tested."""
    _tested.add((service, saga.name))
    names = [step.name for step in saga.steps]

    class SagaTests:
        async def test_an_action_run_twice_has_one_effect(self) -> None:
            await check_actions_twice(saga, make_lab)

        @pytest.mark.parametrize("moment", ["before", "after"])
        @pytest.mark.parametrize("step", names)
        async def test_an_error_at_a_step_unwinds_to_the_state_before(self, step: str, moment: str) -> None:
            await check_unwinds(saga, make_lab, at=step, moment=moment)

        @pytest.mark.parametrize("step", names)
        async def test_undo_run_twice_has_one_effect(self, step: str) -> None:
            await check_unwinds(saga, make_lab, at=step, moment="after", is_undo_twice=True)

    SagaTests.__name__ = SagaTests.__qualname__ = f"Test_{saga.name}"
    return SagaTests


def assert_all_tested(service: str, known: Iterable[Saga]) -> None:
    """Fail for sagas without `saga_tests` (whose module must be imported: keep both in one)."""
    missing = sorted(saga.name for saga in known if (service, saga.name) not in _tested)
    assert not missing, f"sagas of {service} without saga_tests: {missing}"


async def check_actions_twice(saga: Saga, make_lab: MakeLab) -> None:
    """Run the saga plainly and with each action repeated (a Local's first try is rolled back): one state results."""
    async with make_lab() as lab:
        plain = lab.saga or saga
        assert await _run(lab, plain) is SagaState.FINISHED, "the saga does not finish even undisturbed"
        expected = await lab.snapshot()
    async with make_lab() as lab:
        doubled = replace(lab.saga or saga, steps=[_act_twice(step) for step in (lab.saga or saga).steps])
        assert await _run(lab, doubled) is SagaState.FINISHED
        found = await lab.snapshot()
    assert found == expected, "an action that ran twice had two effects"


async def check_unwinds(saga: Saga, make_lab: MakeLab, *, at: str, moment: str, is_undo_twice: bool = False) -> None:
    """Fail the saga at a step, before or after its action: the state before the saga is restored and no undo fails."""
    async with make_lab() as lab:
        before = await lab.snapshot()
        real = lab.saga or saga
        failures: list[str] = []
        steps = [_failing(step, moment) if step.name == at else step for step in real.steps]
        steps = [_watch_undo(step, failures, is_twice=is_undo_twice) for step in steps]
        answers = {**lab.answers, at: {"error": "injected"}}
        failed = real.failed if lab.after_failure is not None else None
        state = await _run(lab, replace(real, steps=steps, failed=failed), answers=answers)
        assert not failures, f"undo failed: {failures}"
        assert state is SagaState.FAILED, f"the saga ended {state}"
        if lab.after_failure is not None:
            await lab.after_failure(at, moment)
            return
        assert await lab.snapshot() == before, f"not undone after an error {moment} {at}"


async def _run(lab: Lab, saga: Saga, *, answers: Mapping[str, Mapping[str, Any]] | None = None) -> SagaState:
    answers = lab.answers if answers is None else answers
    engine = SagaEngine(lab.db, service="test", sagas=[saga], services=lab.services, undo_give_up_s=600)
    async with lab.db.begin() as uow:
        await engine.start(uow, saga.name, data=lab.data, saga_id=SAGA_ID)
    for _ in range(_ROUNDS):
        await engine.run_until_idle()
        async with lab.db.read() as uow:
            row = await uow.one(select(sagas.c.state, sagas.c.step).where(sagas.c.id == SAGA_ID))
        assert row is not None
        state = SagaState(row.state)
        if state in (SagaState.FINISHED, SagaState.FAILED, SagaState.UNDO_FAILED):
            return state
        if state is SagaState.WAITING:
            name = saga.steps[row.step].name
            async with lab.db.begin() as uow:
                await engine.signal(uow, SAGA_ID, name, answers.get(name, {}))
        else:
            cast("Any", lab.db.clock).advance(61)
            await asyncio.sleep(0)
    raise AssertionError(f"saga {saga.name} does not end")


def _act_twice(step: Step) -> Step:
    if isinstance(step, Remote):
        action = step.action

        async def twice(ctx: SagaContext) -> Any:
            await action(ctx)
            return await action(ctx)

        return replace(step, action=twice)
    if isinstance(step, Local):
        local = step.action

        async def after_rollback(uow: UnitOfWork, ctx: SagaContext) -> Any:
            answer = await local(uow, ctx)
            if ctx.attempt == 0:
                raise Retry("the transaction is rolled back and tried again")
            return answer

        return replace(step, action=after_rollback)
    return step


def _failing(step: Step, moment: str) -> Step:
    """The step with an error injected. A wait is failed by its answer."""
    if isinstance(step, Remote):
        action = step.action

        async def fail(ctx: SagaContext) -> Any:
            if moment == "after":
                await action(ctx)
            raise Abort("injected")

        return replace(step, action=fail)
    if isinstance(step, Local):
        local = step.action

        async def fail_local(uow: UnitOfWork, ctx: SagaContext) -> Any:
            if moment == "after":
                await local(uow, ctx)
            raise Abort("injected")

        return replace(step, action=fail_local)
    return step


def _watch_undo(step: Step, failures: list[str], *, is_twice: bool) -> Step:
    times = 2 if is_twice else 1
    if step.undo is None:
        return step
    if isinstance(step, Remote):
        undo = step.undo

        async def watched(ctx: SagaContext) -> None:
            for _ in range(times):
                try:
                    await undo(ctx)
                except Retry:
                    raise
                except Exception as error:
                    if getattr(error, "http_status", None) != 404:
                        failures.append(f"{step.name}: {error!r}")
                    raise

        return replace(step, undo=watched)
    local_undo = step.undo

    async def watched_local(uow: UnitOfWork, ctx: SagaContext) -> None:
        for _ in range(times):
            try:
                await local_undo(uow, ctx)
            except Retry:
                raise
            except Exception as error:
                failures.append(f"{step.name}: {error!r}")
                raise

    if isinstance(step, Wait):
        return replace(step, undo=watched_local)
    return replace(step, undo=watched_local)
