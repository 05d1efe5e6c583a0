"""What the use cases share: the parts that `main` built, the tenant filter, and the way to write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError

from synnefo_common.clock import Clock
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.outbox import Wakeup
from synnefo_common.errors import BadRequest
from synnefo_common.http import ServiceClient
from synnefo_common.ids import IdSource
from synnefo_common.quota import QuotaClient
from synnefo_common.web import Context
from synnefo_network.app.driver import Driver
from synnefo_network.db.topology import tell
from synnefo_network.domain.errors import (
    Conflict,
    NotFound,
    PolicyNotAuthorized,
    RevisionNumberConstraintFailed,
    StaleRow,
)
from synnefo_network.settings import Settings

T = TypeVar("T")
_WRITE_ATTEMPTS = 10


@dataclass(frozen=True)
class Services:
    """Handed to every handler, consumer and reconciler."""

    db: Database
    clock: Clock
    ids: IdSource
    quota: QuotaClient
    driver: Driver
    settings: Settings
    peers: Mapping[str, ServiceClient]
    changed: Wakeup = field(default_factory=Wakeup)  # rung when something was written: the data plane follows
    known_groups: set[str] = field(default_factory=set)  # default groups that were there; one may have gone since

    async def write(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Run `work` in a transaction; again if a row changed meanwhile.

        A broken reference is Conflict: someone deleted it.
        """

        async def told(uow: UnitOfWork) -> T:
            done = await work(uow)
            if self.driver.is_followed:
                await tell(uow)
                uow.after_commit(self.changed.set)
            return done

        for _ in range(_WRITE_ATTEMPTS):
            try:
                return await self.db.run(told)
            except StaleRow:
                continue
            except IntegrityError as error:
                if self.known_groups:  # perhaps one of them is not there any more
                    self.known_groups.clear()
                    continue
                raise Conflict("Something that this request refers to was changed by another request at the same time.") from error
        raise Conflict("The resource is being changed by other requests; try again.")


def seen_by(ctx: Context) -> str | None:
    """The project whose view of the cloud a caller has; None sees all (administrators, services)."""
    return None if ctx.is_admin or "service" in ctx.roles else ctx.project


def new_owner(ctx: Context, given: dict[str, Any]) -> str:
    """Take `project_id`/`tenant_id` out of a create body.

    Only administrators may name another project than their own.
    """
    named = {given.pop(k) for k in ("project_id", "tenant_id") if k in given}
    named.discard(None)
    if not named:
        return ctx.project
    if len(named) > 1:
        raise BadRequest("'project_id' and 'tenant_id' do not match.")
    wanted = str(named.pop())
    if wanted != ctx.project_id and seen_by(ctx) is not None:
        raise BadRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges.")
    return wanted


def authorize(ctx: Context, rule: str, target: Mapping[str, Any], *, hidden: NotFound | None = None) -> None:
    """Raises PolicyNotAuthorized, or `hidden` where the caller may not even see the target."""
    if not ctx.may(rule, target):
        raise hidden if hidden is not None else PolicyNotAuthorized(rule)


def authorize_attributes(ctx: Context, action: str, given: Mapping[str, Any], target: Mapping[str, Any], *, rules: Mapping[str, Any]) -> None:
    """Ask `<action>:<attribute>` for each attribute given that has such a rule. Raises PolicyNotAuthorized."""
    for name in given:
        rule = f"{action}:{name}"
        if rule in rules and not ctx.may(rule, target):
            raise PolicyNotAuthorized(f"{action} and rule:{rule}")


def check_revision(row: Any, expected: int | None) -> None:
    """`If-Match: revision_number=N`. Raises RevisionNumberConstraintFailed (412)."""
    if expected is not None and row.revision != expected:
        raise RevisionNumberConstraintFailed(f"Constrained to {expected}, but current revision is {row.revision}.")


def standard_values(svc: Services, given: Mapping[str, Any], *, project_id: str) -> dict[str, Any]:
    """The standard columns of a new row (without `name`)."""
    from synnefo_network.db.listing import pack_tags

    now = svc.clock.now_us()
    return {
        "id": svc.ids.uuid(),
        "project_id": project_id,
        "description": given.get("description") or "",
        "tags": pack_tags(given.get("tags") or []),
        "revision": 0,
        "created_at": now,
        "updated_at": now,
    }
