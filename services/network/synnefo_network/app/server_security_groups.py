"""The security groups of a server: those of its ports, changed on all of them at once."""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_network.app.groups import ensure_default_group
from synnefo_network.app.port_events import describe, emit_port
from synnefo_network.app.servers import find_group_ids
from synnefo_network.app.services import Services
from synnefo_network.db import ports as db
from synnefo_network.db.listing import update_row
from synnefo_network.domain.errors import SecurityGroupNotFound


async def change_groups(uow: UnitOfWork, svc: Services, server_id: str, group: str, *, project_id: str, adds: bool) -> list[dict[str, Any]]:
    """Put the server's ports into a group (by name or id), or take them out; the documents of all its ports.

    Ports without port security stay as they are. Raises SecurityGroupNotFound (also if there is nothing to take out or nowhere to
    put it), NoUniqueSecurityGroup.
    """
    ids = await find_group_ids(uow, svc, project_id, [group], makes_default=True)
    group_id = ids[0] if ids else await ensure_default_group(uow, svc, project_id)
    rows = {row.id: row for row in await db.ports_of_device(uow, server_id) if row.port_security_enabled}
    held = await db.group_ids_of(uow, list(rows))
    changed = [row for row in rows.values() if (group_id in held[row.id]) is not adds]
    if not rows or not (adds or changed):
        raise SecurityGroupNotFound(group)
    if changed:
        await (db.set_groups(uow, [(row.id, group_id) for row in changed]) if adds else db.leave_group(uow, [r.id for r in changed], group_id))
    after = [await update_row(uow, db.ports, row, {}) for row in changed]
    documents = {d["id"]: d for d in await describe(uow, await db.ports_of_device(uow, server_id))}
    for row in after:
        emit_port(uow, "updated", documents[row.id], row=row)
    return list(documents.values())
