"""What every route asks: the policy by Keystone's names, targets of rows, and who is there."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends

from synnefo_common.web import Context, services
from synnefo_identity.app.services import Services
from synnefo_identity.domain.errors import Missing, NotAllowed

Svc = Annotated[Services, Depends(services)]
R = TypeVar("R")


def require(ctx: Context, rule: str, target: dict[str, Any] | None = None) -> None:
    """Raises NotAllowed (403) unless the policy holds for the target."""
    if not ctx.may(f"identity:{rule}", target or {}):
        raise NotAllowed(f"identity:{rule}")


def found(row: R | None, kind: str, reference: str) -> R:
    """The row. Raises Missing (404)."""
    if row is None:
        raise Missing(kind, reference)
    return row


def target_of(kind: str, row: Any) -> dict[str, Any]:
    """A row as the policy sees it; empty if it does not exist, so that only who may see all learns that."""
    if row is None:
        return {}
    target = {f"target.{kind}.id": row.id}
    if hasattr(row, "domain_id"):
        target[f"target.{kind}.domain_id"] = row.domain_id
    if hasattr(row, "name"):
        target[f"target.{kind}.name"] = row.name
    return target


def own_domain(ctx: Context) -> str:
    """The domain for new things when the body names none."""
    return ctx.domain_id or ctx.claims.project_domain_id or "default"
