"""What accompanies a piece of work from the request through events and sagas: ids that tie logs and messages together.

Not for authority: who may do what is `web.Context`. Set by the web middleware, the consumers and the saga engine;
read by the outbox and the HTTP client.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("synnefo_request_id", default=None)
# The id of the request, or of the operator's action, that all of this belongs to; the request id if nobody set it.
correlation_id: ContextVar[str | None] = ContextVar("synnefo_correlation_id", default=None)
# The message or saga whose handling is under way: what is emitted now was caused by it.
causation_id: ContextVar[str | None] = ContextVar("synnefo_causation_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("synnefo_traceparent", default=None)  # W3C trace context


def current_correlation_id() -> str | None:
    """The correlation id, or the request id at the place where the work came in."""
    return correlation_id.get() or request_id.get()


@contextlib.contextmanager
def bound(*, correlation: str | None, causation: str | None, trace: str | None) -> Iterator[None]:
    """Set the three for a block; they are put back afterwards."""
    marks = (correlation_id.set(correlation), causation_id.set(causation), traceparent.set(trace))
    try:
        yield
    finally:
        correlation_id.reset(marks[0])
        causation_id.reset(marks[1])
        traceparent.reset(marks[2])
