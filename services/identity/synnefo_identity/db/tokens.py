"""Signing keys and the revocation log. Tables and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Row, String, Table, func, select

from synnefo_common.db import UnitOfWork
from synnefo_identity.db.base import metadata

# state: active (the newest signs), retired (still verifies until its last token is over).
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("private", LargeBinary, nullable=False),
    Column("public", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
)

revocations = Table(
    "revocations",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("issued_before", BigInteger, nullable=False),
    Column("user_id", String(64)),
    Column("project_id", String(64)),
    Column("domain_id", String(64)),
    Column("role_id", String(64)),
    Column("audit_id", String(64)),
    Column("audit_chain_id", String(64)),
    Column("credential_id", String(64)),
    Column("trust_id", String(64)),
    Column("system", Boolean),
    Index("ix_revocations_issued_before", "issued_before"),
)

# One row. Its lock is held from the first entry of a transaction to the commit, so numbers become visible in order
# and a follower that has seen n has seen all below n.
revocation_head = Table(
    "revocation_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)


async def keys(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """All keys, the newest active one first."""
    return await uow.all(signing_keys.select().order_by(signing_keys.c.state, signing_keys.c.created_at.desc()))


async def append(uow: UnitOfWork, entries: Sequence[Mapping[str, Any]], *, issued_before: int) -> int:
    """Append entries; the last number. The last statement of its transaction."""
    head = revocation_head
    last = int(await uow.scalar(head.update().where(head.c.id == 1).values(seq=head.c.seq + len(entries)).returning(head.c.seq)))
    names = [c.name for c in revocations.columns if c.name not in ("seq", "issued_before")]
    first = last - len(entries) + 1
    rows = [{"seq": first + i, "issued_before": issued_before} | {n: e.get(n) for n in names} for i, e in enumerate(entries)]
    await uow.run(revocations.insert(), rows)
    return last


async def head_seq(uow: UnitOfWork) -> int:
    """The last number given."""
    return int(await uow.scalar(select(revocation_head.c.seq)) or 0)


async def entries_after(uow: UnitOfWork, after: int) -> list[dict[str, Any]]:
    """Entries with a greater number, absent fields left out."""
    rows = await uow.all(revocations.select().where(revocations.c.seq > after).order_by(revocations.c.seq))
    return [{str(k): v for k, v in row._mapping.items() if v is not None} for row in rows]


async def purge(uow: UnitOfWork, *, issued_before: int) -> int:
    """Delete entries that no living token can match."""
    return await uow.run(revocations.delete().where(revocations.c.issued_before < issued_before))


async def count_revocations(uow: UnitOfWork) -> int:
    """Entries in the log."""
    return int(await uow.scalar(select(func.count()).select_from(revocations)))
