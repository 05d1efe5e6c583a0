"""From opcode to function, and what is common to all: unset parameters, dry runs, the target's uuid in the job.

Not for: the operations themselves.
"""

from collections.abc import Callable
from typing import Any

from synnefo_fake_ganeti import cluster_ops, instance_ops, network_ops
from synnefo_fake_ganeti.instance_create import create_instance
from synnefo_fake_ganeti.instance_modify import set_params
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.opcodes import OPCODES
from synnefo_fake_ganeti.problems import prereq
from synnefo_fake_ganeti.state import ClusterState, Record

Operation = Callable[[ClusterState, Record, Log], Any]

OPERATIONS: dict[str, Operation] = {
    "OP_INSTANCE_CREATE": create_instance,
    "OP_INSTANCE_REMOVE": instance_ops.remove,
    "OP_INSTANCE_STARTUP": instance_ops.startup,
    "OP_INSTANCE_SHUTDOWN": instance_ops.shutdown,
    "OP_INSTANCE_REBOOT": instance_ops.reboot,
    "OP_INSTANCE_SET_PARAMS": set_params,
    "OP_INSTANCE_GROW_DISK": instance_ops.grow_disk,
    "OP_INSTANCE_MIGRATE": instance_ops.migrate,
    "OP_INSTANCE_FAILOVER": instance_ops.failover,
    "OP_INSTANCE_REINSTALL": instance_ops.reinstall,
    "OP_INSTANCE_RENAME": instance_ops.rename,
    "OP_INSTANCE_QUERY_DATA": instance_ops.query_data,
    "OP_TAGS_SET": cluster_ops.set_tags,
    "OP_TAGS_DEL": cluster_ops.delete_tags,
    "OP_NODE_SET_PARAMS": cluster_ops.set_node_params,
    "OP_NETWORK_ADD": network_ops.add_network,
    "OP_NETWORK_CONNECT": network_ops.connect_network,
    "OP_NETWORK_DISCONNECT": network_ops.disconnect_network,
    "OP_NETWORK_REMOVE": network_ops.remove_network,
    "OP_GROUP_ADD": cluster_ops.add_group,
    "OP_GROUP_REMOVE": cluster_ops.remove_group,
}


def execute(state: ClusterState, opcode: Record, log: Log) -> Any:
    """Carry out one opcode at once; `JobError` is the error of its job. The opcode gains what was found out."""
    op_id = opcode["OP_ID"]
    full = {**dict.fromkeys(OPCODES[op_id]), **opcode}
    if opcode.get("dry_run"):
        return _dry_run(state, full, log)
    if "instance_uuid" in full:
        target = state.find_instance(full["instance_name"])
        if target is not None:
            opcode["instance_uuid"] = target["uuid"]
    if op_id == "OP_INSTANCE_SHUTDOWN":
        opcode.setdefault("admin_state_source", "admin")
    result = OPERATIONS[op_id](state, full, log)
    if op_id == "OP_INSTANCE_CREATE":
        opcode["pnode"], opcode["pnode_uuid"] = full["pnode"], full["pnode_uuid"]
    return result


def _dry_run(state: ClusterState, op: Record, log: Log) -> Any:
    """Names are looked up, nothing is done. The real one makes all its checks; ours are part of the doing."""
    if op["OP_ID"] == "OP_INSTANCE_CREATE":
        if state.find_instance(op["instance_name"]) is not None:
            raise prereq(f"Instance '{op['instance_name']}' is already in the cluster", "already_exists")
        node = state.node(op["pnode"]) if op["pnode"] else next(iter(state.nodes.values()))
        result: Any = [node["uuid"]]
    else:
        if "instance_uuid" in op:
            state.instance(op["instance_name"])
        result = None
    log(" - INFO: dry-run mode requested, not actually executing the operation")
    return result
