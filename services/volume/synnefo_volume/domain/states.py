"""Statuses of volumes and snapshots and the ways between them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """A volume's status, by Cinder's names."""

    CREATING = "creating"
    AVAILABLE = "available"
    ATTACHING = "attaching"
    IN_USE = "in-use"
    DETACHING = "detaching"
    EXTENDING = "extending"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    ERROR_EXTENDING = "error_extending"


# What the API and the workers do by themselves; an administrator may set any status.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.CREATING: frozenset({Status.AVAILABLE, Status.IN_USE, Status.ERROR, Status.DELETING}),
    Status.AVAILABLE: frozenset({Status.ATTACHING, Status.IN_USE, Status.EXTENDING, Status.DELETING}),
    Status.ATTACHING: frozenset({Status.IN_USE, Status.AVAILABLE}),
    Status.IN_USE: frozenset({Status.DETACHING, Status.AVAILABLE, Status.DELETING}),
    Status.DETACHING: frozenset({Status.IN_USE, Status.AVAILABLE, Status.DELETING}),
    Status.EXTENDING: frozenset({Status.AVAILABLE, Status.ERROR_EXTENDING}),
    Status.DELETING: frozenset({Status.ERROR_DELETING}),
    Status.ERROR: frozenset({Status.DELETING}),
    Status.ERROR_DELETING: frozenset({Status.DELETING}),
    Status.ERROR_EXTENDING: frozenset({Status.DELETING}),
}

DELETABLE = (Status.AVAILABLE, Status.ERROR, Status.ERROR_DELETING, Status.ERROR_EXTENDING)
SOURCE_OF_CLONE = (Status.AVAILABLE, Status.IN_USE)
SETTABLE = ("creating", "available", "attaching", "error", "in-use", "maintenance", "reserved", "error_extending")


class SnapshotStatus(StrEnum):
    """A snapshot's status."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


# What may be reported of a snapshot that somebody else takes or removes.
REPORTABLE: dict[str, tuple[str, ...]] = {
    SnapshotStatus.CREATING: (SnapshotStatus.CREATING, SnapshotStatus.AVAILABLE, SnapshotStatus.ERROR),
    SnapshotStatus.DELETING: (SnapshotStatus.DELETING, SnapshotStatus.ERROR_DELETING),
}
SNAPSHOT_DELETABLE = (SnapshotStatus.AVAILABLE, SnapshotStatus.ERROR, SnapshotStatus.ERROR_DELETING)


def expect_text(statuses: tuple[str, ...]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(statuses[:-1]), statuses[-1]] if len(statuses) > 1 else list(statuses))
