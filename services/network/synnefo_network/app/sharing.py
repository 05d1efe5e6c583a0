"""Resources that can be shared with other projects: how they are found, listed and shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, not_

from synnefo_common.db import UnitOfWork
from synnefo_common.web import Context
from synnefo_network.app.services import Services, authorize, seen_by
from synnefo_network.db import rbac_policies as db
from synnefo_network.db.listing import list_rows
from synnefo_network.domain.errors import Missing
from synnefo_network.domain.listing import ListQuery, Resource

QUOTA = "network.rbac_policies"


@dataclass(frozen=True, slots=True)
class Shareable:
    """A resource with the attribute `shared`. `object_type` is its name in RBAC policies.

    `hides_refusal`: to whom it is only shared, a change is answered as if it were not there; Neutron does so for address groups.
    """

    resource: Resource
    table: Table
    object_type: str
    missing: type[Missing]
    hides_refusal: bool = False

    def target(self, row: Any) -> dict[str, Any]:
        """What its policy rules look at."""
        return {"project_id": row.project_id, "shared": row.shared}


async def list_shareable(
    uow: UnitOfWork, ctx: Context, kind: Shareable, query: ListQuery, *, where: Sequence[ColumnElement[bool]] = ()
) -> Sequence[Row[Any]]:
    """The rows that the caller sees, `shared` as he sees it: one statement. Raises the resource's NotFound for the marker."""
    viewer = seen_by(ctx)
    conditions = [db.visible(kind.table, kind.object_type, viewer), *where]
    wanted = set(query.filters.get("shared", ()))
    if len(wanted) == 1:
        shared = db.shared_with(kind.table, kind.object_type, viewer)
        conditions.append(shared if True in wanted else not_(shared))
    plain = replace(query, filters={k: v for k, v in query.filters.items() if k != "shared"})
    columns = db.seen_columns(kind.table, kind.object_type, viewer)
    rows = await list_rows(uow, kind.resource, kind.table, query=plain, where=conditions, columns=columns)
    if rows is None:
        raise kind.missing(query.marker or "")
    return rows


async def load_shareable(uow: UnitOfWork, ctx: Context, kind: Shareable, row_id: str, *, action: str = "get") -> Row[Any]:
    """The row, if the caller sees it and may do the action. Raises the resource's NotFound, PolicyNotAuthorized."""
    rows = await db.get_shared(uow, kind.table, kind.object_type, [row_id], project_id=seen_by(ctx))
    if row_id not in rows:
        raise kind.missing(row_id)
    row = rows[row_id]
    authorize(ctx, f"get_{kind.resource.name}", kind.target(row), hidden=kind.missing(row_id))
    if action != "get":
        is_foreign = kind.hides_refusal and row.project_id != ctx.project_id
        authorize(ctx, f"{action}_{kind.resource.name}", kind.target(row), hidden=kind.missing(row_id) if is_foreign else None)
    return row


async def share_with_all(uow: UnitOfWork, svc: Services, object_type: str, rows: Sequence[Any]) -> None:
    """Keep policies for everyone for those of the new rows (as mappings) that are shared or external."""
    now = svc.clock.now_us()
    policies = [
        {
            "id": svc.ids.uuid(),
            "project_id": row["project_id"],
            "description": "",
            "tags": "",
            "revision": 0,
            "created_at": now,
            "updated_at": now,
            "object_type": object_type,
            "object_id": row["id"],
            "action": action,
            "target_project": db.EVERYONE,
            "is_charged": False,
        }
        for row in rows
        for action, column in ((db.SHARED, "shared"), (db.EXTERNAL, "is_external"))
        if row.get(column)
    ]
    if policies:
        await db.insert_policies(uow, policies)


async def drop_policies(
    uow: UnitOfWork, svc: Services, *, object_type: str, object_id: str, target: str | None = None, action: str | None = None
) -> None:
    """Delete the policies of an object (with one target, of one action); what they counted in quotas is given back."""
    gone = await db.delete_policies(uow, object_type=object_type, object_id=object_id, target=target, action=action)
    for owner, count in Counter(row.project_id for row in gone).items():
        svc.quota.release(uow, project_id=owner, user_id="", provisions={QUOTA: count})


async def change_sharing(uow: UnitOfWork, svc: Services, object_type: str, row: Any, *, shared: bool) -> None:
    """Share a row with everyone or with them no more."""
    if shared:
        await share_with_all(uow, svc, object_type, [{"id": row.id, "project_id": row.project_id, "shared": True}])
    else:
        await drop_policies(uow, svc, object_type=object_type, object_id=row.id, target=db.EVERYONE, action=db.SHARED)


async def change_external(uow: UnitOfWork, svc: Services, network: Any, *, is_external: bool) -> None:
    """Make a network external for everyone or for nobody."""
    if is_external:
        await share_with_all(uow, svc, "network", [{"id": network.id, "project_id": network.project_id, "is_external": True}])
    else:
        await drop_policies(uow, svc, object_type="network", object_id=network.id, action=db.EXTERNAL)
