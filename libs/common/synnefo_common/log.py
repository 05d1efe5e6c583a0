"""Structured logs: one event per line, data in keys, secrets never. Set up once by `service` or the test harness."""

from __future__ import annotations

import logging
import sys
from typing import Any, cast

import structlog
from structlog.typing import EventDict

_SECRET_KEYS = frozenset({"password", "token", "secret", "admin_pass", "user_data", "x_auth_token", "authorization"})


def _hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if key in _SECRET_KEYS:
            event[key] = "***"
    return event


def setup_logging(*, fmt: str = "console", level: str = "INFO", service: str | None = None) -> None:
    """Send structlog and the standard library's loggers to stderr as JSON or text."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if fmt != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    if service:
        structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)


def get_logger(name: str | None = None) -> structlog.stdlib.BoundLogger:
    """A logger; bind ids with `structlog.contextvars`."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name) if name else structlog.get_logger())
