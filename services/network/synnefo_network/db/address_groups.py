"""Address groups: prefixes that security group rules name together."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table

from synnefo_common.db import JSON
from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns

address_groups = Table(
    "address_groups",
    metadata,
    *standard_columns(),
    Column("addresses", JSON, nullable=False),
    Column("shared", Boolean, nullable=False),
)
