"""Application credentials and users' other credentials. Tables only; queries are by id."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text, UniqueConstraint

from synnefo_common.db import JSON
from synnefo_identity.db.base import metadata

application_credentials = Table(
    "application_credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("secret_hash", Text, nullable=False),
    Column("role_ids", JSON, nullable=False),
    Column("unrestricted", Boolean, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("user_id", "name", name="uq_application_credentials_user_id_name"),
    Index("ix_application_credentials_project_id", "project_id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("project_id", String(64)),
    Column("type", String(255), nullable=False),
    Column("blob", Text, nullable=False),  # encrypted: `app.encryption`
    Column("extra", JSON, nullable=False),
    Index("ix_credentials_user_id", "user_id"),
)

# What the blobs are encrypted with, the newest first used; older ones still read.
credential_keys = Table(
    "credential_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
