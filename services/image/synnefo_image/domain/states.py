"""The statuses of an image and the ways between them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Glance's names."""

    QUEUED = "queued"
    SAVING = "saving"
    UPLOADING = "uploading"
    IMPORTING = "importing"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"


# Deletion is possible from everywhere: the row goes.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.SAVING, Status.UPLOADING}),
    Status.SAVING: frozenset({Status.ACTIVE, Status.QUEUED}),
    Status.UPLOADING: frozenset({Status.IMPORTING, Status.QUEUED, Status.ACTIVE}),
    Status.IMPORTING: frozenset({Status.ACTIVE, Status.QUEUED}),
    Status.ACTIVE: frozenset({Status.DEACTIVATED}),
    Status.DEACTIVATED: frozenset({Status.ACTIVE}),
}

DOWNLOADABLE = frozenset({Status.ACTIVE, Status.DEACTIVATED})
