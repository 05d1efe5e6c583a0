"""What is kept for a server's guest alone, apart from the server, so that no list reads it. Servers without any have no row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Row, String, Table, Text, delete, insert, select, update

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_compute.db.base import metadata

guests = Table(
    "guests",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("public_key", Text),  # as it was when the server was made
    Column("files", JSON, nullable=False),  # path, contents in base64; until the config drive is written
    Column("admin_pass", Text),  # until the config drive is written
    Column("password", Text, nullable=False),  # as the guest posted it: encrypted with the key
)


async def insert_guests(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    await uow.run(insert(guests), [dict(row) for row in rows])


async def get_guest(uow: UnitOfWork, server_id: str) -> Row[Any] | None:
    return await uow.one(select(guests).where(guests.c.server_id == server_id))


async def forget_secrets(uow: UnitOfWork, server_id: str) -> None:
    """The config drive has them, or never will."""
    await uow.run(update(guests).where(guests.c.server_id == server_id).values(files=[], admin_pass=None))


async def set_password(uow: UnitOfWork, server_id: str, password: str) -> bool:
    """Keep what the guest posted. False if it has posted before."""
    values: dict[str, Any] = {"server_id": server_id, "public_key": None, "files": [], "admin_pass": None, "password": password}
    statement = insert_for(uow.dialect, guests).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=["server_id"], set_={"password": statement.excluded.password}, where=guests.c.password == ""
    )
    return await uow.run(statement) == 1


async def clear_password(uow: UnitOfWork, server_id: str) -> None:
    await uow.run(update(guests).where(guests.c.server_id == server_id).values(password=""))


async def delete_guest(uow: UnitOfWork, server_id: str) -> None:
    await uow.run(delete(guests).where(guests.c.server_id == server_id))
