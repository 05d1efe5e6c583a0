"""Facts about instances that no job of ours caused: an operator's hand in Ganeti, a crash, a node's death."""

from __future__ import annotations

from typing import Any

from synnefo_common.db import UnitOfWork
from synnefo_compute.db import servers
from synnefo_compute.domain.states import PowerState, VmState

# Ganeti's status → (vm state, power state)
_STATUS = {
    "running": (VmState.ACTIVE, PowerState.RUNNING),
    "ADMIN_down": (VmState.STOPPED, PowerState.SHUTDOWN),
    "USER_down": (VmState.STOPPED, PowerState.SHUTDOWN),
    "ERROR_down": (VmState.STOPPED, PowerState.CRASHED),
}


async def observe(uow: UnitOfWork, data: dict[str, Any]) -> None:
    """Take a fact unless a newer one is known, or something of ours is under way (its end will tell)."""
    row = await servers.get_server(uow, data["server_id"], project_id=None)
    if row is None or row.cluster != data["cluster"]:
        return
    order, known = list(data.get("order") or [0, 0, 0]), row.fact_order or [0, 0, 0]
    if order < known or row.task_state is not None or row.vm_state in (VmState.BUILDING, VmState.RESIZED):
        return
    values: dict[str, Any] = {}
    if not data.get("exists", True):
        if row.vm_state != VmState.ERROR:
            message = f"The instance does not exist any more on cluster {row.cluster}."
            values = {
                "vm_state": VmState.ERROR, "power_state": PowerState.NOSTATE,
                "fault": {"code": 500, "message": message, "created": uow.db.clock.now_us()},
            }  # fmt: skip
    else:
        vm_state, power_state = _STATUS.get(data.get("status") or "", (None, None))
        if vm_state is not None and row.vm_state != VmState.ERROR and (row.vm_state, row.power_state) != (vm_state, power_state):
            values = {"vm_state": vm_state, "power_state": power_state}
        if data.get("pnode") and data["pnode"] != row.node:
            values["node"] = data["pnode"]
    if values:
        await servers.change(uow, row.id, {**values, "fact_order": order}, generation=row.generation)
