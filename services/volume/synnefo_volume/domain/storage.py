"""What is due of the work on the block store: by period, one job at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

FIRST_AFTER_S = 3600.0
"""A kind that was never done waits for so long after the worker's start."""


class Kind(StrEnum):
    """Kinds of storage jobs."""

    GC = "gc"
    SCRUB = "scrub"
    FSCK = "fsck"
    FREEZE = "freeze"


@dataclass(frozen=True)
class Enqueue:
    """A period is over."""

    kind: Kind
    pool: str = ""


@dataclass(frozen=True)
class RunJob:
    """The oldest job that is not finished."""

    job_id: str


Action = Enqueue | RunJob


@dataclass
class Facts:
    """Ages in seconds."""

    unfinished: list[tuple[str, str, str]] = field(default_factory=list)  # (id, kind, pool), oldest first
    age_s: Mapping[tuple[str, str], float] = field(default_factory=dict)  # kind and pool → since it was asked for last
    up_s: float = 0.0
    period_s: Mapping[Kind, float] = field(default_factory=dict)
    pools: Sequence[str] = ("",)
    has_unfrozen: bool = False


def plan(facts: Facts) -> Sequence[Action]:
    """See the module."""
    actions: list[Action] = [RunJob(facts.unfinished[0][0])] if facts.unfinished else []
    waiting = {(kind, pool) for _, kind, pool in facts.unfinished}
    for (kind, period_s), pool in product(facts.period_s.items(), facts.pools):
        if not period_s or (kind, pool) in waiting or (kind is Kind.FREEZE and pool):
            continue
        age_s = facts.age_s.get((kind, pool))
        is_due = facts.up_s >= min(period_s, FIRST_AFTER_S) if age_s is None else age_s >= period_s
        if is_due and (kind is not Kind.FREEZE or facts.has_unfrozen):
            actions.append(Enqueue(kind, pool))
    return actions
