"""Address scopes: table. Subnet pools of one scope do not overlap."""

from sqlalchemy import Boolean, Column, Integer, Table

from synnefo_network.db.base import metadata
from synnefo_network.db.columns import standard_columns

address_scopes = Table(
    "address_scopes",
    metadata,
    *standard_columns(),
    Column("ip_version", Integer, nullable=False),
    Column("shared", Boolean, nullable=False),
)
