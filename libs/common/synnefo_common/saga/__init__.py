"""Sagas: changes in two or more services as a list of steps, each undone if a later one cannot be done."""

from synnefo_common.saga.engine import SagaEngine
from synnefo_common.saga.model import (
    Abort,
    Local,
    Remote,
    Retry,
    Saga,
    SagaContext,
    SagaState,
    Wait,
    WaitLonger,
    crash_points,
)

__all__ = [
    "Abort", "Local", "Remote", "Retry", "Saga", "SagaContext", "SagaEngine", "SagaState", "Wait", "WaitLonger",
    "crash_points",
]  # fmt: skip
