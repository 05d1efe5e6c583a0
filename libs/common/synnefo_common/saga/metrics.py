"""Counters of sagas."""

from prometheus_client import Counter, Gauge

ended = Counter("synnefo_sagas_ended_total", "Sagas by how they ended.", ["saga", "state"])
step_failures = Counter(
    "synnefo_saga_step_failures_total", "Tries of an action that failed and will be repeated.", ["saga", "step"]
)
undo_failures = Counter("synnefo_saga_undo_failures_total", "Tries of an undo that failed.", ["saga", "step"])
active = Gauge("synnefo_sagas_active", "Sagas being worked on by this process.", ["service"])
