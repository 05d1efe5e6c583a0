"""Who looks at images, and what a list call asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Viewer:
    """Whose eyes: a project, or an administrator, who sees all."""

    project_id: str | None
    is_admin: bool


@dataclass
class Filters:
    """What a list call asks for. `equal` and `among` are by column, `times` are (column, operator, µs)."""

    equal: dict[str, Any] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)
    times: list[tuple[str, str, int]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    visibility: str | None = None  # one, or `all`
    member_status: str = "accepted"
    size_min: int | None = None
    size_max: int | None = None
