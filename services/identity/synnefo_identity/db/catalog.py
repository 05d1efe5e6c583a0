"""Regions, services, endpoints. Tables and queries."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Boolean, Column, Index, String, Table, Text, select

from synnefo_common.db import JSON, UnitOfWork
from synnefo_identity.db.base import metadata
from synnefo_identity.domain.catalog import CatalogService, Endpoint

regions = Table(
    "regions",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False),
    Column("parent_region_id", String(255)),
    Column("extra", JSON, nullable=False),
)

services = Table(
    "services",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("extra", JSON, nullable=False),
    Index("ix_services_type", "type"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), nullable=False),
    Column("interface", String(8), nullable=False),
    Column("region_id", String(255)),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("extra", JSON, nullable=False),
    Index("ix_endpoints_service_id", "service_id"),
)


async def enabled(uow: UnitOfWork) -> tuple[CatalogService, ...]:
    """The catalogue: enabled services that have enabled endpoints."""
    e, s = endpoints.c, services.c
    rows = await uow.all(
        select(s.id.label("service_id"), s.type, s.name, e.id, e.interface, e.region_id, e.url)
        .select_from(services.join(endpoints, e.service_id == s.id))
        .where(s.enabled, e.enabled)
        .order_by(s.type, s.id, e.interface, e.id)
    )
    found: dict[tuple[str, str, str], list[Endpoint]] = defaultdict(list)
    for row in rows:
        found[row.service_id, row.type, row.name].append(Endpoint(row.id, row.interface, row.region_id, row.url))
    return tuple(CatalogService(*key, tuple(items)) for key, items in found.items())
