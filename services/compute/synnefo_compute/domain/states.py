"""A server's states: what Nova shows, and which action is allowed when."""

from __future__ import annotations

from enum import StrEnum


class VmState(StrEnum):
    """What is: fact."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    RESIZED = "resized"
    ERROR = "error"
    DELETED = "deleted"


class TaskState(StrEnum):
    """What is wanted or under way: intent."""

    SCHEDULING = "scheduling"
    SPAWNING = "spawning"
    POWERING_ON = "powering-on"
    POWERING_OFF = "powering-off"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    RESIZE_PREP = "resize_prep"
    RESIZE_REVERTING = "resize_reverting"
    RESIZE_CONFIRMING = "resize_confirming"
    ATTACHING = "block_device_mapping"
    PLUGGING = "networking"
    DELETING = "deleting"


class LockedBy(StrEnum):
    """Who locked a server: nobody of its project may change it then, and who is not of the project may always."""

    OWNER = "owner"
    ADMIN = "admin"


class PowerState:
    """Nova's numbers."""

    NOSTATE = 0
    RUNNING = 1
    SHUTDOWN = 4
    CRASHED = 6


_BASE = {
    VmState.BUILDING: "BUILD",
    VmState.ACTIVE: "ACTIVE",
    VmState.STOPPED: "SHUTOFF",
    VmState.RESIZED: "VERIFY_RESIZE",
    VmState.ERROR: "ERROR",
    VmState.DELETED: "DELETED",
}
_BY_TASK = {
    (VmState.ACTIVE, TaskState.REBOOTING): "REBOOT",
    (VmState.ACTIVE, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.STOPPED, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.ERROR, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.ACTIVE, TaskState.RESIZE_PREP): "RESIZE",
    (VmState.STOPPED, TaskState.RESIZE_PREP): "RESIZE",
    (VmState.RESIZED, TaskState.RESIZE_REVERTING): "REVERT_RESIZE",
}
STATUSES = {
    "ACTIVE": (VmState.ACTIVE,), "BUILD": (VmState.BUILDING,), "SHUTOFF": (VmState.STOPPED,), "ERROR": (VmState.ERROR,),
    "VERIFY_RESIZE": (VmState.RESIZED,), "DELETED": (VmState.DELETED,), "REBOOT": (VmState.ACTIVE,),
    "HARD_REBOOT": (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR), "RESIZE": (VmState.ACTIVE, VmState.STOPPED),
    "REVERT_RESIZE": (VmState.RESIZED,), "SUSPENDED": (), "PAUSED": (), "RESCUE": (), "SOFT_DELETED": (), "PASSWORD": (),
    "MIGRATING": (), "SHELVED": (), "SHELVED_OFFLOADED": (), "REBUILD": (), "UNKNOWN": (),
}  # fmt: skip

# Action → vm states that allow it. Every action but delete also wants no task under way.
ALLOWED: dict[str, frozenset[VmState]] = {
    "start": frozenset({VmState.STOPPED}),
    "stop": frozenset({VmState.ACTIVE, VmState.ERROR}),
    "reboot_soft": frozenset({VmState.ACTIVE}),
    "reboot_hard": frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR}),
    "resize": frozenset({VmState.ACTIVE, VmState.STOPPED}),
    "confirm_resize": frozenset({VmState.RESIZED}),
    "revert_resize": frozenset({VmState.RESIZED}),
    "create_image": frozenset({VmState.ACTIVE, VmState.STOPPED}),
    "attach_volume": frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.RESIZED}),
    "detach_volume": frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.RESIZED}),
    "attach_interface": frozenset({VmState.ACTIVE, VmState.STOPPED}),
    "detach_interface": frozenset({VmState.ACTIVE, VmState.STOPPED}),
}


def status_of(vm_state: str, task_state: str | None) -> str:
    """Nova's `status`."""
    vm = VmState(vm_state)
    if task_state:
        shown = _BY_TASK.get((vm, TaskState(task_state)))
        if shown:
            return shown
    return _BASE[vm]
