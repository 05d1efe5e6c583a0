"""Images: table and queries. A deleted image has no row; its blocks are the collector's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from synnefo_common.db import JSON, UnitOfWork
from synnefo_common.db.paging import after, order
from synnefo_image.db.base import metadata
from synnefo_image.db.members import members
from synnefo_image.domain.viewing import Filters, Viewer

images = Table(
    "images",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner", String(255)),
    Column("name", String(255)),
    Column("status", String(16), nullable=False),  # domain.states.Status
    Column("visibility", String(16), nullable=False),
    Column("container_format", String(16)),
    Column("disk_format", String(16)),
    Column("min_ram", Integer, nullable=False),
    Column("min_disk", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("checksum", String(32)),
    Column("os_hash_algo", String(64)),
    Column("os_hash_value", String(128)),
    Column("tags", JSON, nullable=False),  # {tag: "t"}: an object, so that a tag can be looked up in SQL
    Column("properties", JSON, nullable=False),  # {name: text}
    Column("root", LargeBinary),  # the block store's root of the data; NULL without data
    Column("digest", String(64)),  # the root's digest
    Column("charged_bytes", BigInteger, nullable=False),  # what the ledger counts for it, in `charged_project`
    Column("charged_project", String(64)),
    Column("charged_user", String(64)),
    Column("upload_id", String(36)),  # whose bytes are coming in
    Column("upload_until", BigInteger),  # without a sign of life until then, the upload is given up
    Column("generation", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_images_owner_created_at", "owner", "created_at", "id"),
    Index("ix_images_visibility_created_at", "visibility", "created_at", "id"),
    Index("ix_images_upload_until", "upload_until"),
)

# What answers show: everything but the root and the book-keeping.
SHOWN = [
    c
    for c in images.c
    if c.name not in ("root", "digest", "charged_bytes", "charged_project", "charged_user", "upload_id", "upload_until")
]

SORT_KEYS: dict[str, ColumnElement[Any]] = {
    "name": func.coalesce(images.c.name, ""),
    "status": images.c.status,
    "container_format": func.coalesce(images.c.container_format, ""),
    "disk_format": func.coalesce(images.c.disk_format, ""),
    "size": func.coalesce(images.c.size, -1),
    "id": images.c.id,
    "created_at": images.c.created_at,
    "updated_at": images.c.updated_at,
}


def _shared_with(project_id: str | None, status: str = "all") -> ColumnElement[bool]:
    found = and_(members.c.image_id == images.c.id, members.c.member_id == project_id)
    if status != "all":
        found = and_(found, members.c.status == status)
    return and_(images.c.visibility == "shared", exists(select(members.c.image_id).where(found)))


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """Which images may be shown: own, public, community, and those shared with the project, accepted or not."""
    if viewer.is_admin:
        return true()
    reachable = images.c.visibility.in_(["public", "community"])
    return or_(images.c.owner == viewer.project_id, reachable, _shared_with(viewer.project_id))


def _listed_for(viewer: Viewer, filters: Filters) -> ColumnElement[bool]:
    """Which images a list holds: others' community images only if asked for, shared ones by member status."""
    conditions: list[ColumnElement[bool]] = []
    if filters.visibility not in (None, "all"):
        conditions.append(images.c.visibility == filters.visibility)
    if not viewer.is_admin:
        reach = ["public", "community"] if filters.visibility in ("community", "all") else ["public"]
        conditions.append(
            or_(
                images.c.owner == viewer.project_id,
                images.c.visibility.in_(reach),
                _shared_with(viewer.project_id, filters.member_status),
            )
        )
    return and_(true(), *conditions)


_COMPARE = {
    "gt": lambda c, v: c > v,
    "gte": lambda c, v: c >= v,
    "lt": lambda c, v: c < v,
    "lte": lambda c, v: c <= v,
    "eq": lambda c, v: c == v,
    "neq": lambda c, v: c != v,
}


def _matches(filters: Filters) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = [true()]
    found += [images.c[name] == value for name, value in filters.equal.items()]
    found += [images.c[name].in_(values) for name, values in filters.among.items()]
    # Times are kept in µs and shown in seconds: what is asked for is a whole second.
    found += [_COMPARE[op](images.c[name] - images.c[name] % 1_000_000, at) for name, op, at in filters.times]
    found += [_has("properties", name, value) for name, value in filters.properties.items()]
    found += [_has("tags", tag, "t") for tag in filters.tags]
    if filters.size_min is not None:
        found.append(images.c.size >= filters.size_min)
    if filters.size_max is not None:
        found.append(images.c.size <= filters.size_max)
    return and_(*found)


def _has(column: str, key: str, value: str) -> ColumnElement[bool]:
    if '"' in key or "\\" in key:
        return false()  # SQLite's path language cannot say it
    found: ColumnElement[bool] = images.c[column][key].as_string() == value
    return found


async def list_page(
    uow: UnitOfWork,
    *,
    viewer: Viewer,
    filters: Filters,
    sort: Sequence[tuple[str, str]],
    limit: int,
    marker: Row[Any] | None,
) -> Sequence[Row[Any]]:
    """A page of rows with the columns that are shown."""
    keys = list(sort)
    direction = keys[-1][1]
    keys += [(k, direction) for k in ("created_at", "id") if k not in dict(keys)]
    columns = [(SORT_KEYS[k], d) for k, d in keys]
    statement = select(*SHOWN).where(_listed_for(viewer, filters), _matches(filters))
    if marker is not None:
        defaults = {"name": "", "container_format": "", "disk_format": "", "size": -1}
        values = [defaults.get(k) if marker._mapping[k] is None else marker._mapping[k] for k, _ in keys]
        statement = statement.where(after(columns, values))
    return await uow.all(order(statement, columns).limit(limit))


async def get(uow: UnitOfWork, image_id: str, *, viewer: Viewer, with_root: bool = False) -> Row[Any] | None:
    """One image that the viewer may see; `member_status` tells how it is shared with the viewer's project."""
    member = (
        select(members.c.status)
        .where(members.c.image_id == images.c.id, members.c.member_id == viewer.project_id)
        .scalar_subquery()
    )
    columns = list(images.c) if with_root else SHOWN
    return await uow.one(
        select(*columns, member.label("member_status")).where(images.c.id == image_id, visible_to(viewer))
    )


async def insert_image(uow: UnitOfWork, values: Mapping[str, Any]) -> None:
    """A new row."""
    await uow.run(insert(images).values(**values))


async def change(uow: UnitOfWork, image_id: str, *, generation: int, values: Mapping[str, Any]) -> bool:
    """Compare-and-set on the generation."""
    statement = update(images).where(images.c.id == image_id, images.c.generation == generation)
    return bool(await uow.run(statement.values(generation=generation + 1, **values)))


async def move(
    uow: UnitOfWork, image_id: str, *, old: Sequence[str], upload_id: str | None = None, values: Mapping[str, Any]
) -> bool:
    """Compare-and-set on the status, and on the upload if one is given."""
    statement = update(images).where(images.c.id == image_id, images.c.status.in_(old))
    if upload_id is not None:
        statement = statement.where(images.c.upload_id == upload_id)
    return bool(await uow.run(statement.values(generation=images.c.generation + 1, **values)))


async def renew_upload(uow: UnitOfWork, image_id: str, *, upload_id: str, until: int) -> bool:
    """A sign of life; False if the image is gone or the upload was given up."""
    statement = update(images).where(images.c.id == image_id, images.c.upload_id == upload_id)
    return bool(await uow.run(statement.values(upload_until=until)))


async def expired_uploads(uow: UnitOfWork, *, now: int) -> Sequence[Row[Any]]:
    """Uploads that nobody heard of in time."""
    columns = (images.c.id, images.c.upload_id, images.c.status)
    return await uow.all(select(*columns).where(images.c.upload_until < now).order_by(images.c.id).limit(1000))


async def remove(uow: UnitOfWork, image_id: str) -> Row[Any] | None:
    """Delete an image that is not protected; returns what the ledger counted for it, or None."""
    statement = delete(images).where(images.c.id == image_id, images.c.protected.is_(False))
    columns = (images.c.charged_bytes, images.c.charged_project, images.c.charged_user)
    return await uow.one(statement.returning(*columns))


async def list_roots(uow: UnitOfWork, *, after_id: str, limit: int) -> Sequence[Row[Any]]:
    """Roots in the order of image ids."""
    found = select(images.c.id, images.c.root).where(images.c.root.is_not(None), images.c.id > after_id)
    return await uow.all(found.order_by(images.c.id).limit(limit))


async def replace_root(uow: UnitOfWork, image_id: str, *, old: bytes, new: bytes, digest: str) -> bool:
    """Exchange the root of an image that still has the old one."""
    mine = update(images).where(images.c.id == image_id, images.c.root == old)
    return bool(await uow.run(mine.values(root=new, digest=digest)))
