"""What jobs on nodes, groups and tags do. Not for: instances and networks, which have modules of their own."""

from synnefo_fake_ganeti.instance_create import check_tags
from synnefo_fake_ganeti.jobs import Log
from synnefo_fake_ganeti.problems import prereq
from synnefo_fake_ganeti.state import ClusterState, Record


def _tagged(state: ClusterState, op: Record) -> tuple[Record, str, str]:
    """The thing that carries the tags, and where it is kept."""
    kind, name = op["kind"], op["name"] or ""
    if kind == "cluster":
        return state.cluster, "cluster", ""
    if kind == "instance":
        record = state.instance(name)
        return record, "instances", record["name"]
    if kind == "node":
        record = state.node(name)
        return record, "nodes", record["name"]
    if kind == "nodegroup":
        record = state.group(name)
        return record, "groups", record["uuid"]
    record = state.network(name)
    return record, "networks", record["uuid"]


def _save_tags(state: ClusterState, kind: str, key: str) -> None:
    if kind == "cluster":
        state.save_cluster()
    else:
        state.touch(kind, key)


def set_tags(state: ClusterState, op: Record, _log: Log) -> None:
    record, kind, key = _tagged(state, op)
    check_tags(op["tags"])
    record["tags"] = sorted({*record["tags"], *op["tags"]})
    _save_tags(state, kind, key)


def delete_tags(state: ClusterState, op: Record, _log: Log) -> None:
    record, kind, key = _tagged(state, op)
    check_tags(op["tags"])
    missing = sorted(set(op["tags"]) - set(record["tags"]))
    if missing:
        quoted = ", ".join(f"'{tag}'" for tag in missing)
        raise prereq(f"Tag(s) {quoted} not found", "unknown_entity")
    record["tags"] = sorted(set(record["tags"]) - set(op["tags"]))
    _save_tags(state, kind, key)


def set_node_params(state: ClusterState, op: Record, _log: Log) -> list[list[str]]:
    node = state.node(op["node_name"])
    flags = ("offline", "drained", "master_candidate")
    wanted = {flag: op[flag] for flag in flags if op[flag] is not None}
    capable = {flag: op[flag] for flag in ("master_capable", "vm_capable") if op[flag] is not None}
    if not wanted and not capable and op["secondary_ip"] is None and not op["ndparams"]:
        raise prereq("Please pass at least one modification", "wrong_input")
    if list(wanted.values()).count(True) > 1:
        raise prereq("Can't set the node into more than one state at the same time", "wrong_input")
    if wanted and node["is_master"]:
        raise prereq("The master role can be changed only via master-failover", "wrong_input")
    changes: list[list[str]] = [[flag, str(value)] for flag, value in capable.items()]
    node.update(capable)
    for flag, value in wanted.items():
        if value:
            node.update(dict.fromkeys(flags, False))
        if node[flag] != value or value:
            changes.append([flag, str(value)])
        node[flag] = value
    state.touch("nodes", node["name"])
    return changes


def add_group(state: ClusterState, op: Record, _log: Log) -> None:
    existing = state.find_group(op["group_name"])
    if existing is not None:
        text = f"Desired group name '{op['group_name']}' already exists as a node group (UUID: {existing['uuid']})"
        raise prereq(text, "already_exists")
    group = {
        "name": op["group_name"],
        "uuid": state.new_uuid(),
        "alloc_policy": op["alloc_policy"] or "preferred",
        "tags": [],
        "ctime": state.now(),
        "mtime": state.now(),
        "serial_no": 1,
    }
    state.save("groups", group["uuid"], group)


def remove_group(state: ClusterState, op: Record, _log: Log) -> None:
    group = state.group(op["group_name"])
    members = sorted(node["uuid"] for node in state.nodes.values() if node["group"] == group["uuid"])
    if members:
        text = f"Group '{group['name']}' not empty, has the following nodes: {', '.join(members)}"
        raise prereq(text, "wrong_state")
    if len(state.groups) == 1:
        raise prereq(f"Group '{group['name']}' is the only group, cannot be removed", "wrong_state")
    state.forget("groups", group["uuid"])
