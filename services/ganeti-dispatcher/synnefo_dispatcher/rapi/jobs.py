"""Ganeti jobs as RAPI shows them: states, failures, and our token in the reason trail.

Not for: what the dispatcher remembers of a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FINAL_STATES = frozenset({"success", "error", "canceled"})
USER_REASON = "gnt:user"
HOTPLUG_FAILED = "hotplug_failed"


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job ended badly: Ganeti's exception, its text, and its code (`unknown_entity`, ...) if it has one."""

    error_type: str
    message: str
    code: str | None = None

    @property
    def is_missing(self) -> bool:
        """What the job was about does not exist."""
        return self.code == "unknown_entity"

    @property
    def is_duplicate(self) -> bool:
        """What the job should make exists."""
        return self.code == "already_exists"

    @property
    def is_hotplug(self) -> bool:
        """The configuration was changed, the running guest was not."""
        return self.code == HOTPLUG_FAILED

    @property
    def is_lack_of_resources(self) -> bool:
        return self.code in ("insufficient_resources", "temp_insufficient_resources")


@dataclass(frozen=True, slots=True)
class Job:
    """A job; `opresult` and `oplog` are None in a bulk list."""

    job_id: int
    status: str
    ops: tuple[dict[str, Any], ...]
    opstatus: tuple[str, ...]
    summary: tuple[str, ...]
    received_at: float | None
    started_at: float | None
    ended_at: float | None
    opresult: tuple[Any, ...] | None = None
    oplog: tuple[tuple[tuple[int, float, str, str], ...], ...] | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STATES

    @property
    def tokens(self) -> tuple[str, ...]:
        """The reasons that callers of RAPI gave with the job."""
        found = (entry[1] for op in self.ops for entry in op.get("reason") or () if entry[0] == USER_REASON)
        return tuple(dict.fromkeys(found))

    @property
    def instance_name(self) -> str | None:
        return next((op["instance_name"] for op in self.ops if op.get("instance_name")), None)

    def failure(self) -> JobFailure | None:
        """None for a success and for a job that has not ended."""
        return find_failure(self.status, self.opresult)


def find_failure(status: str, opresult: tuple[Any, ...] | list[Any] | None) -> JobFailure | None:
    """The first failure among the results of a job's opcodes.

    A job whose device could not be plugged into the running guest is a success to Ganeti, and a failure to us.
    """
    if status == "canceled":
        return JobFailure("Canceled", "the job was canceled in Ganeti")
    if status == "success" and any(_has_failed_hotplug(result) for result in opresult or ()):
        return JobFailure("HotplugFailed", "Ganeti could not change the devices of the running guest", HOTPLUG_FAILED)
    if status != "error":
        return None
    for result in opresult or ():
        if isinstance(result, list | tuple) and len(result) == 2 and isinstance(result[0], str):
            details = result[1]
            if not isinstance(details, list | tuple):
                return JobFailure(result[0], str(details))
            message = str(details[0]) if details else result[0]
            code = details[1] if len(details) > 1 and isinstance(details[1], str) else None
            return JobFailure(result[0], message, code)
    return JobFailure("Unknown", "the job ended in error and left no reason")


def _has_failed_hotplug(result: Any) -> bool:
    """Of a modification: `[["nic.0", "add:mac=..."], ["nic.1", "hotplug:failed"]]`."""
    if not isinstance(result, list | tuple):
        return False
    pairs = (item for item in result if isinstance(item, list | tuple) and len(item) == 2)
    return any(str(text).startswith("hotplug:failed") for _, text in pairs)


def _seconds(stamp: list[int] | None) -> float | None:
    return None if stamp is None else stamp[0] + stamp[1] / 1_000_000


def parse_job(data: dict[str, Any]) -> Job:
    """From `GET /2/jobs/ID` or an item of `GET /2/jobs?bulk=1`. The caller has seen that the job exists."""
    oplog = data.get("oplog")
    opresult = data.get("opresult")
    return Job(
        job_id=data["id"],
        status=data["status"],
        ops=tuple(data["ops"]),
        opstatus=tuple(data["opstatus"]),
        summary=tuple(data["summary"]),
        received_at=_seconds(data["received_ts"]),
        started_at=_seconds(data["start_ts"]),
        ended_at=_seconds(data["end_ts"]),
        opresult=None if opresult is None else tuple(opresult),
        oplog=None
        if oplog is None
        else tuple(tuple((e[0], _seconds(e[1]) or 0.0, e[2], str(e[3])) for e in lines) for lines in oplog),
    )


@dataclass(frozen=True, slots=True)
class JobChange:
    """An answer of a long poll. Give it back as `previous` to hear of the next change."""

    status: str
    opstatus: tuple[str, ...]
    opresult: tuple[Any, ...]
    log: tuple[tuple[int, str], ...]
    log_serial: int | None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STATES

    def failure(self) -> JobFailure | None:
        return find_failure(self.status, self.opresult)

    def info(self) -> list[Any]:
        return [self.status, list(self.opstatus), list(self.opresult)]


def parse_change(data: dict[str, Any], previous: JobChange | None) -> JobChange:
    status, opstatus, opresult = data["job_info"]
    entries = data.get("log_entries") or []
    serial = entries[-1][0] if entries else (previous.log_serial if previous else None)
    log = tuple((entry[0], str(entry[3])) for entry in entries)
    return JobChange(status, tuple(opstatus), tuple(opresult), log, serial)
