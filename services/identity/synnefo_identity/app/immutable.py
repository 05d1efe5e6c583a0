"""The option `immutable`: a role, project or domain that has it can only lose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from synnefo_identity.domain.errors import Refused


def refuse_immutable(kind: str, row: Row[Any], changes: Mapping[str, Any] | None = None) -> None:
    """Raises Refused for a change or deletion of something immutable, unless the change is to take the option off."""
    if not row.options.get("immutable"):
        return
    if changes is not None and set(changes) == {"options"} and not changes["options"].get("immutable"):
        return
    what = "delete" if changes is None else "update"
    raise Refused(f'Cannot {what} immutable resource: {kind} {row.id}. Set the resource option "immutable" to false first.')
