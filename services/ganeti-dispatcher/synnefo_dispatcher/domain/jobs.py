"""Jobs: their states, their verbs, and the names that we and Ganeti both know them by."""

from __future__ import annotations

import re
from enum import StrEnum

CREATE = "instance.create"
DELETE = "instance.delete"
STARTUP = "instance.startup"
SHUTDOWN = "instance.shutdown"
REBOOT = "instance.reboot"
MODIFY_BEPARAMS = "instance.modify_beparams"
ADD_NIC = "instance.add_nic"
REMOVE_NIC = "instance.remove_nic"
ADD_DISK = "instance.add_disk"
REMOVE_DISK = "instance.remove_disk"
GROW_DISK = "instance.grow_disk"
MODIFY_NIC = "instance.modify_nic"
REINSTALL = "instance.reinstall"
RESCUE = "instance.rescue"
UNRESCUE = "instance.unrescue"
MIGRATE = "instance.migrate"
FAILOVER = "instance.failover"
ADD_TAGS = "instance.add_tags"
REMOVE_TAGS = "instance.remove_tags"
VERBS = frozenset(
    {
        CREATE, DELETE, STARTUP, SHUTDOWN, REBOOT, MODIFY_BEPARAMS, ADD_NIC, REMOVE_NIC, ADD_DISK, REMOVE_DISK, GROW_DISK,
        MODIFY_NIC, REINSTALL, RESCUE, UNRESCUE, MIGRATE, FAILOVER, ADD_TAGS, REMOVE_TAGS,
    }
)  # fmt: skip
# What frees room goes before what needs it.
FIRST = (DELETE, SHUTDOWN)
REMOVALS = frozenset({DELETE, REMOVE_NIC, REMOVE_DISK})


class JobState(StrEnum):
    """`submitting`: Ganeti may or may not have it. `submitted` and `running`: it has, under `ganeti_job_id`."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


LIVE = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.RUNNING)
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)
# Later facts of the same Ganeti job have a higher rank.
RANK = {JobState.SUBMITTED: 0, JobState.RUNNING: 1, JobState.SUCCEEDED: 3, JobState.FAILED: 3, JobState.CANCELED: 3}
PROGRESS_RANK = 2

SERVER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # one word of a routing key
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?\s?% (?:done|copied|complete)")


def reason_of(token: str) -> str:
    """What marks a Ganeti job as the one of this token."""
    return f"synnefo:{token}"


def mark_of(token: str) -> str:
    """What marks the Ganeti job that goes before one that cannot carry a reason."""
    return f"synnefo-mark:{token}"


def token_of(reason: str) -> str:
    """The token that a reason marks; empty for a reason that is not ours."""
    return reason.removeprefix("synnefo:") if reason.startswith("synnefo:") else ""


def tag_of(server_id: str) -> str:
    """The tag on a server's instance."""
    return f"synnefo:server:{server_id}"


def instance_name(prefix: str, server_id: str) -> str:
    """The instance of a server."""
    return f"{prefix}{server_id}"


def server_id_of(prefix: str, name: str) -> str | None:
    """The server of an instance; None for one that is not ours."""
    rest = name.removeprefix(prefix)
    return rest if name.startswith(prefix) and SERVER_ID.fullmatch(rest) else None


def percent_in(line: str) -> int | None:
    """The progress that a line of a job's log tells, if it does."""
    found = _PERCENT.search(line)
    return min(100, int(found.group(1))) if found else None
