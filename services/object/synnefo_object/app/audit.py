"""What the auditor reads of the object store: bytes by the project that pays for them, as the counters have them, and the
containers whose counter says another number of objects than there are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from synnefo_object.app.services import Services
from synnefo_object.db.accounts import accounts
from synnefo_object.db.containers import containers
from synnefo_object.db.counters import counters
from synnefo_object.db.objects import objects
from synnefo_object.db.payers import difference


async def audit_facts(svc: Services) -> dict[str, Any]:
    """See the module."""
    held = (
        select(accounts.c.project_id, (func.coalesce(func.sum(counters.c.bytes), 0) + difference(accounts.c.id)).label("bytes"))
        .select_from(accounts.outerjoin(counters, counters.c.owner == -accounts.c.id))
        .group_by(accounts.c.id, accounts.c.project_id)
    )
    async with svc.db.read() as uow:
        rows = await uow.all(held)
        wrong = await uow.all(_differing())
    return {
        "usage": {row.project_id: {"object.bytes": int(row.bytes)} for row in rows if row.bytes},
        "counters_differ": [
            {"container": f"{row.project_id}/{row.name}", "counted": int(row.counted), "listed": int(row.listed)} for row in wrong
        ],
    }  # fmt: skip


def _differing() -> Select[Any]:
    """Up to a hundred containers. Reads the key of every object: for the auditor alone."""
    counted = select(counters.c.owner, func.sum(counters.c.objects).label("n")).where(counters.c.owner > 0).group_by(counters.c.owner).subquery()
    listed = select(objects.c.container_id, func.count().label("n")).group_by(objects.c.container_id).subquery()
    both = containers.join(accounts, accounts.c.id == containers.c.account_id)
    both = both.outerjoin(counted, counted.c.owner == containers.c.id).outerjoin(listed, listed.c.container_id == containers.c.id)
    has, is_there = func.coalesce(counted.c.n, 0), func.coalesce(listed.c.n, 0)
    query = select(accounts.c.project_id, containers.c.name, has.label("counted"), is_there.label("listed")).select_from(both)
    return query.where(has != is_there).order_by(containers.c.id).limit(100)
