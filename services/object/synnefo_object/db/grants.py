"""Who may read or write a shared object beside its owner, the groups of users that sharing names, and public links.

Rows name an object by place and by UUID: what is deleted and made anew under its name is another object, and not shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, SmallInteger, String, Table, and_, delete, exists, insert, or_, select, update

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_object.db.accounts import accounts
from synnefo_object.db.base import metadata
from synnefo_object.db.containers import containers, name_type
from synnefo_object.db.objects import objects

READ, WRITE = 1, 2

grants = Table(
    "grants",
    metadata,
    Column("container_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", name_type(1100), primary_key=True),
    Column("grantee", String(600), primary_key=True),  # a user, `account:group`, or `*`
    Column("mode", SmallInteger, nullable=False),
    Column("uuid", String(36), nullable=False),
    Index("ix_grants_grantee", "grantee"),
)
groups = Table(
    "account_groups",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(256), primary_key=True),
    Column("member", String(256), primary_key=True),
    Index("ix_account_groups_member", "member"),
)
links = Table(
    "public_links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("container_id", BigInteger, nullable=False),
    Column("name", name_type(1100), nullable=False),
    Column("uuid", String(36), nullable=False),
    Index("ix_public_links_place", "container_id", "name"),
)


def _is_of(table: Table) -> Any:
    """The row's object is still the one that it was made for."""
    return and_(objects.c.container_id == table.c.container_id, objects.c.name == table.c.name, objects.c.uuid == table.c.uuid)


async def of_names(uow: UnitOfWork, container_id: int, names: Sequence[str]) -> Sequence[Row[Any]]:
    """name, content_type, grantee, mode of the shared objects among these names."""
    g = grants.c
    statement = select(g.name, objects.c.content_type, g.grantee, g.mode).select_from(grants.join(objects, _is_of(grants)))
    return await uow.all(statement.where(g.container_id == container_id, g.name.in_(list(names))))


async def of_container(uow: UnitOfWork, container_id: int) -> Sequence[Row[Any]]:
    """The same of all shared objects of a container, by name."""
    g = grants.c
    statement = select(g.name, objects.c.content_type, g.grantee, g.mode).select_from(grants.join(objects, _is_of(grants)))
    return await uow.all(statement.where(g.container_id == container_id).order_by(g.name))


async def replace(uow: UnitOfWork, container_id: int, name: str, uuid: str, modes: Mapping[str, int]) -> None:
    """Set all of an object's grants."""
    await uow.run(delete(grants).where(grants.c.container_id == container_id, grants.c.name == name))
    if modes:
        rows = [{"container_id": container_id, "name": name, "grantee": who, "mode": mode, "uuid": uuid} for who, mode in modes.items()]
        await uow.run(insert(grants).values(rows))


async def forget(uow: UnitOfWork, container_id: int, names: Sequence[str]) -> None:
    """Neither shared nor public any more."""
    for table in (grants, links):
        await uow.run(delete(table).where(table.c.container_id == container_id, table.c.name.in_(list(names))))


async def pin_uuid(uow: UnitOfWork, container_id: int, name: str, uuid: str) -> str:
    """The object's UUID, which becomes `uuid` if it has none yet."""
    here = (objects.c.container_id == container_id, objects.c.name == name)
    await uow.run(update(objects).where(*here, objects.c.uuid.is_(None)).values(uuid=uuid))
    return str(await uow.scalar(select(objects.c.uuid).where(*here)))


def _shared_with(grantees: Iterable[str]) -> Any:
    return grants.join(objects, _is_of(grants)).join(containers, containers.c.id == grants.c.container_id), grants.c.grantee.in_(list(grantees))


async def accounts_shared_with(uow: UnitOfWork, grantees: Iterable[str], *, but: str, marker: str, limit: int) -> Sequence[Row[Any]]:
    """project_id and created_us of the accounts that hold something for these grantees, other than `but`."""
    joined, is_theirs = _shared_with(grantees)
    return await uow.all(
        select(accounts.c.project_id, accounts.c.created_us)
        .distinct()
        .select_from(joined.join(accounts, accounts.c.id == containers.c.account_id))
        .where(is_theirs, accounts.c.project_id != but, accounts.c.project_id > marker)
        .order_by(accounts.c.project_id)
        .limit(limit)
    )


async def containers_with(uow: UnitOfWork, account_id: int, *, grantees: Iterable[str] | None, is_shared: bool, is_public: bool) -> list[int]:
    """The containers of an account that hold something shared (with these grantees) or public."""
    here = containers.c.account_id == account_id
    wanted = []
    if is_shared:
        joined = grants.join(objects, _is_of(grants))
        clauses = [grants.c.container_id == containers.c.id]
        if grantees is not None:
            clauses.append(grants.c.grantee.in_(list(grantees)))
        wanted.append(exists(select(grants.c.name).select_from(joined).where(*clauses)))
    if is_public:
        wanted.append(exists(select(links.c.id).select_from(links.join(objects, _is_of(links))).where(links.c.container_id == containers.c.id)))
    return [int(row.id) for row in await uow.all(select(containers.c.id).where(here, or_(*wanted)))]


async def groups_of_members(uow: UnitOfWork, members: Iterable[str]) -> list[str]:
    """`account:group` of all groups that one of these is in."""
    rows = await uow.all(
        select(accounts.c.project_id, groups.c.name)
        .distinct()
        .select_from(groups.join(accounts, accounts.c.id == groups.c.account_id))
        .where(groups.c.member.in_(list(members)))
    )
    return [f"{row.project_id}:{row.name}" for row in rows]


async def groups_of(uow: UnitOfWork, account_id: int) -> dict[str, list[str]]:
    """An account's groups, in order."""
    found: dict[str, list[str]] = {}
    statement = select(groups.c.name, groups.c.member).where(groups.c.account_id == account_id)
    for row in await uow.all(statement.order_by(groups.c.name, groups.c.member)):
        found.setdefault(row.name, []).append(row.member)
    return found


async def set_groups(uow: UnitOfWork, account_id: int, wanted: Mapping[str, Sequence[str]], *, replace_all: bool) -> None:
    """Set these groups; an empty one goes. With `replace_all` the others go, too."""
    gone = delete(groups).where(groups.c.account_id == account_id)
    await uow.run(gone if replace_all else gone.where(groups.c.name.in_(list(wanted))))
    rows = [{"account_id": account_id, "name": name, "member": member} for name, members in wanted.items() for member in members]
    if rows:
        await uow.run(insert(groups).values(rows))


async def publish(uow: UnitOfWork, link_id: str, container_id: int, name: str, uuid: str) -> None:
    """Give the object a public link unless it has one."""
    row = {"id": link_id, "container_id": container_id, "name": name, "uuid": uuid}
    await uow.run(delete(links).where(links.c.container_id == container_id, links.c.name == name, links.c.uuid != uuid))
    if await uow.scalar(select(links.c.id).where(links.c.container_id == container_id, links.c.name == name)) is None:
        await uow.run(upsert_ignore(uow.dialect, links, row))


async def unpublish(uow: UnitOfWork, container_id: int, name: str) -> None:
    await uow.run(delete(links).where(links.c.container_id == container_id, links.c.name == name))


async def links_of(uow: UnitOfWork, container_id: int, names: Sequence[str] | None = None) -> dict[str, str]:
    """Link by object name, of these names or of the whole container."""
    statement = select(links.c.name, links.c.id).select_from(links.join(objects, _is_of(links))).where(links.c.container_id == container_id)
    if names is not None:
        statement = statement.where(links.c.name.in_(list(names)))
    return {row.name: row.id for row in await uow.all(statement)}


async def find_link(uow: UnitOfWork, link_id: str) -> Row[Any] | None:
    """project_id, container, name of what a link opens."""
    joined = links.join(objects, _is_of(links)).join(containers, containers.c.id == links.c.container_id)
    return await uow.one(
        select(accounts.c.project_id, containers.c.name.label("container"), links.c.name)
        .select_from(joined.join(accounts, accounts.c.id == containers.c.account_id))
        .where(links.c.id == link_id)
    )


async def sweep(uow: UnitOfWork) -> int:
    """Remove what belongs to objects that are gone."""
    done = 0
    for table in (grants, links):
        done += await uow.run(delete(table).where(~exists(select(objects.c.name).where(_is_of(table)))))
    return done
