"""What a public link opens."""

from __future__ import annotations

from synnefo_object.app.access import Caller
from synnefo_object.app.objects import place
from synnefo_object.app.segments import expand_dlo
from synnefo_object.app.services import Services
from synnefo_object.app.stored import Stored
from synnefo_object.db import grants
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.kinds import DLO, MULTIPART, PLAIN
from synnefo_object.domain.limits import ACCOUNT_PREFIX
from synnefo_object.domain.paths import Target


async def load(svc: Services, link_id: str) -> tuple[Target, Stored]:
    """The object behind a link, as a GET shows it. Raises 404.

    A manifest's parts are read by its owner's right, as far as they lie in the manifest's own container.
    """
    async with svc.db.read() as uow:
        found = await grants.find_link(uow, link_id) if link_id.isascii() and "\x00" not in link_id else None
    if found is None:
        raise not_found()
    target = Target(ACCOUNT_PREFIX + found.project_id, found.container, found.name)
    row = await place(svc, target)
    if row is None or row.root is None or (row.delete_at is not None and row.delete_at <= svc.now_s()):
        raise not_found()
    stored = Stored.from_row(row, found.name)
    if stored.kind == DLO:
        await expand_dlo(svc, Caller(None, svc, signed=(target.account, target.container, found.name)), target, stored)
    elif stored.kind not in (PLAIN, MULTIPART):
        raise SwiftFault(404)
    return target, stored
