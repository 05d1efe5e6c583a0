"""The web side of a service: application factory, context, dialects, answers, paging, microversions."""

from synnefo_common.web.answer import answer, empty
from synnefo_common.web.app import create_service_app, internal_router
from synnefo_common.web.audit import audit_router
from synnefo_common.web.context import Context, Ctx, Service, current_context, service_context, services
from synnefo_common.web.dialects import Dialect
from synnefo_common.web.microversion import Microversions, Version
from synnefo_common.web.paging import Page, next_link, read_page
from synnefo_common.web.parse import parse, read_bool
from synnefo_common.web.reconcile import reconcile_router

__all__ = [
    "Context", "Ctx", "Dialect", "Microversions", "Page", "Service", "Version", "answer", "audit_router", "create_service_app", "current_context",
    "empty", "internal_router", "next_link", "parse", "read_bool", "read_page", "reconcile_router", "service_context", "services",
]  # fmt: skip
