"""Columns that most tables share: the standard attributes of Neutron's resources."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, String, Text


def standard_columns(*, named: bool = True) -> list[Column[Any]]:
    """id, owner, name, description, tags (each between two \\x1f), revision, times."""
    columns: list[Column[Any]] = [
        Column("id", String(36), primary_key=True),
        Column("project_id", String(64), nullable=False, index=True),
        Column("description", String(255), nullable=False),
        Column("tags", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    ]
    if named:
        columns.append(Column("name", String(255), nullable=False))
    return columns
