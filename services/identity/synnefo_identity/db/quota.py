"""The quota ledger: limits, holdings, commissions. Tables and queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
)

from synnefo_common.db import JSON, UnitOfWork, upsert_ignore
from synnefo_identity.db.base import metadata
from synnefo_identity.domain.quota import ANYONE, PER_USER, UNLIMITED

# The default limit of each resource, in the form that Keystone's unified limits give it.
registered_limits = Table(
    "registered_limits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("resource", String(255), nullable=False, unique=True),
    Column("service_id", String(64), nullable=False),
    Column("region_id", String(255)),
    Column("resource_name", String(255), nullable=False),
    Column("default_limit", BigInteger, nullable=False),
    Column("description", Text),
)

# What was set for one project (or domain) instead of the default.
limits = Table(
    "limits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project_id", String(64), nullable=False),  # a domain's id likewise
    Column("resource", String(255), nullable=False),
    Column("is_domain", BigInteger, nullable=False, default=0),
    Column("resource_limit", BigInteger, nullable=False),
    Column("description", Text),
    UniqueConstraint("project_id", "resource", name="uq_limits_project_id_resource"),
)

holdings = Table(
    "holdings",
    metadata,
    Column("project_id", String(64), primary_key=True),  # ANYONE for what a user holds
    Column("user_id", String(64), primary_key=True),  # ANYONE for what a project holds
    Column("resource", String(255), primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
)

# state: pending, accepted, rejected.
commissions = Table(
    "commissions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("issuer", String(64), nullable=False),
    Column("key", String(255), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("provisions", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("issuer", "key", name="uq_commissions_issuer_key"),
    Index("ix_commissions_state_expires_at", "state", "expires_at"),
)

Key = tuple[str, str, str]  # project, user, resource


@dataclass(frozen=True, slots=True)
class Balance:
    """A holding with the limit in force."""

    limit: int
    used: int
    pending: int


def _key_in(keys: Collection[Key]) -> Any:
    return tuple_(holdings.c.project_id, holdings.c.user_id, holdings.c.resource).in_(sorted(keys))


async def lock(uow: UnitOfWork, keys: Collection[Key], *, project_id: str) -> dict[Key, Balance]:
    """The holdings with the limits of the project, locked in the order of their keys to the end of the transaction."""
    own = select(limits.c.resource_limit).where(limits.c.project_id == project_id, limits.c.resource == holdings.c.resource)
    default = select(registered_limits.c.default_limit).where(registered_limits.c.resource == holdings.c.resource)
    limit = func.coalesce(own.scalar_subquery(), default.scalar_subquery(), UNLIMITED)
    rows = await uow.all(
        select(holdings, limit.label("limit_in_force"))
        .where(_key_in(keys))
        .order_by(holdings.c.project_id, holdings.c.user_id, holdings.c.resource)
        .with_for_update(of=holdings)
    )
    return {(r.project_id, r.user_id, r.resource): Balance(int(r.limit_in_force), r.used, r.pending) for r in rows}


async def open_holdings(uow: UnitOfWork, keys: Collection[Key]) -> None:
    """Make rows for holdings used for the first time."""
    rows = [{"project_id": p, "user_id": u, "resource": r, "used": 0, "pending": 0} for p, u, r in sorted(keys)]
    await uow.run(upsert_ignore(uow.dialect, holdings, rows))


async def hold(uow: UnitOfWork, quantities: Mapping[Key, int]) -> int:
    """Add to what is pending, in one statement; the number of holdings changed."""
    whens = [(and_(holdings.c.project_id == p, holdings.c.user_id == u, holdings.c.resource == r), n) for (p, u, r), n in quantities.items()]
    return await uow.run(holdings.update().where(_key_in(quantities)).values(pending=holdings.c.pending + case(*whens, else_=0)))


_MOVE = (
    holdings.update()
    .where(
        holdings.c.project_id == bindparam("p"),
        holdings.c.user_id == bindparam("u"),
        holdings.c.resource == bindparam("r"),
    )
    .values(used=holdings.c.used + bindparam("du"), pending=holdings.c.pending + bindparam("dp"))
)


async def move(uow: UnitOfWork, changes: Mapping[Key, tuple[int, int]]) -> None:
    """Add (used, pending) to holdings, in the order of their keys.

    Use is below zero for the moment between a release and the acceptance of the same thing if they come in that order.
    """
    rows = [{"p": p, "u": u, "r": r, "du": du, "dp": dp} for (p, u, r), (du, dp) in sorted(changes.items()) if du or dp]
    if rows:
        await uow.run(_MOVE, rows)


async def add_commission(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """False if the issuer has used the key before."""
    return await uow.run(upsert_ignore(uow.dialect, commissions, values)) == 1


async def by_key(uow: UnitOfWork, *, issuer: str, key: str) -> Row[Any] | None:
    """The commission made with the key."""
    return await uow.one(commissions.select().where(commissions.c.issuer == issuer, commissions.c.key == key))


async def decide(uow: UnitOfWork, ids: Collection[str], state: str) -> Sequence[Row[Any]]:
    """Pending commissions become `state`; those that did."""
    c = commissions.c
    if not ids:
        return []
    return await uow.all(commissions.update().where(c.id.in_(sorted(ids)), c.state == "pending").values(state=state).returning(commissions))


async def expired(uow: UnitOfWork, now_us: int, *, limit: int = 100) -> Sequence[Row[Any]]:
    """Undecided commissions whose lease is over."""
    c = commissions.c
    return await uow.all(select(c.id, c.issuer).where(c.state == "pending", c.expires_at <= now_us).order_by(c.expires_at).limit(limit))


async def prolong(uow: UnitOfWork, commission_id: str, expires_at: int) -> int:
    """A new end of the lease of an undecided commission."""
    c = commissions.c
    return await uow.run(commissions.update().where(c.id == commission_id, c.state == "pending").values(expires_at=expires_at))


async def purge_commissions(uow: UnitOfWork, created_before: int) -> int:
    """Forget decided commissions."""
    c = commissions.c
    return await uow.run(commissions.delete().where(c.state != "pending", c.created_at < created_before))


async def balances(uow: UnitOfWork, *, project_id: str, user_id: str | None, prefix: str) -> dict[str, Balance]:
    """Limit, use and reservations of a project by resource; of a user for what users hold. Two statements."""
    found = await limits_of(uow, project_id, prefix=prefix)
    h = holdings.c
    mine = h.project_id == project_id
    where = mine if user_id is None else or_(mine, and_(h.project_id == ANYONE, h.user_id == user_id))
    rows = await uow.all(holdings.select().where(where, h.resource.startswith(prefix, autoescape=True)))
    held = {r.resource: r for r in rows if (r.project_id == ANYONE) == (r.resource in PER_USER)}
    names = sorted(found.keys() | held.keys())
    return {n: Balance(found.get(n, UNLIMITED), max(held[n].used, 0) if n in held else 0, held[n].pending if n in held else 0) for n in names}


async def limits_of(uow: UnitOfWork, project_id: str | None, *, prefix: str = "") -> dict[str, int]:
    """The limits in force for a project, or the defaults. One statement."""
    r, own = registered_limits, limits.alias("own")
    on = and_(own.c.resource == r.c.resource, own.c.project_id == (project_id or ""))
    rows = await uow.all(
        select(r.c.resource, func.coalesce(own.c.resource_limit, r.c.default_limit).label("value"))
        .select_from(r.outerjoin(own, on))
        .where(r.c.resource.startswith(prefix, autoescape=True))
    )
    return {row.resource: int(row.value) for row in rows}


async def all_holdings(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Every balance that is not zero, for the auditor."""
    return await uow.all(holdings.select().where(or_(holdings.c.used != 0, holdings.c.pending != 0)))


async def undecided(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """Commissions that are neither accepted nor rejected."""
    return await uow.all(commissions.select().where(commissions.c.state == "pending"))


async def pending_by_issuer(uow: UnitOfWork) -> Sequence[Row[Any]]:
    """How many commissions of each issuer are undecided, and since when the oldest is."""
    c = commissions.c
    return await uow.all(
        select(c.issuer, func.count().label("number"), func.min(c.created_at).label("oldest")).where(c.state == "pending").group_by(c.issuer)
    )
