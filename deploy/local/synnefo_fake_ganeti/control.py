"""The reads of RAPI, and the control path `/_faults` by which a test hurts the cluster.

PUT `{"faults": [rule], "actions": [action]}` adds rules (see `faults`) and acts at once; DELETE takes all rules and
queue troubles away; GET lists the rules. Actions: `{"do": "remove_instance" | "crash_instance" | "stop_instance" |
"rename_instance" | "node_offline" | "move_node" | "drain_queue" | "fill_queue" | "open_queue" | "cancel_job" | "archive_job" |
"purge_job" | "shift_clock", "name": ..., "to": ..., "job": ..., "seconds": ...}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from synnefo_fake_ganeti import answers
from synnefo_fake_ganeti.instance_create import OPERATING_SYSTEMS
from synnefo_fake_ganeti.instance_ops import rename_record
from synnefo_fake_ganeti.jobs import JobQueue
from synnefo_fake_ganeti.problems import HttpProblem, JobError
from synnefo_fake_ganeti.requests import Request
from synnefo_fake_ganeti.state import ClusterState, Record

if TYPE_CHECKING:
    from synnefo_fake_ganeti.rapi import FakeRapi

ROLES = {"M": "master", "C": "master-candidate", "D": "drained", "O": "offline", "R": "regular"}


class Reads:
    def __init__(self, state: ClusterState, queue: JobQueue) -> None:
        self._state = state
        self._queue = queue
        self._encodings: dict[str, tuple[Any, Any]] = {}
        self._shape: dict[str, Callable[[ClusterState, Record], Record]] = {
            "node": answers.node,
            "group": answers.group,
            "network": answers.network,
            "instance": answers.instance,
        }
        self._find: dict[str, Callable[[str], Record | None]] = {
            "node": state.find_node,
            "group": state.find_group,
            "network": state.find_network,
            "instance": state.find_instance,
        }

    def lister(self, plural: str, kind: str) -> Callable[[Request], list[Any]]:
        key = "name" if plural in ("groups", "networks") else "id"

        def call(request: Request) -> list[Any]:
            table: dict[str, Record] = getattr(self._state, plural)
            records = sorted(table.values(), key=lambda record: str(record["name"]))
            if request.flag("bulk"):
                if kind == "instance":
                    return [self._encoded(record) for record in records]
                return [self._shape[kind](self._state, record) for record in records]
            return [{key: record["name"], "uri": f"/2/{plural}/{record['name']}"} for record in records]

        return call

    def _encoded(self, record: Record) -> Any:
        """An instance of a bulk list, encoded once for each state of it: thousands are asked for every few seconds."""
        version = (record["uuid"], record["serial_no"], self._state.node_is_offline(record))
        known = self._encodings.get(record["name"])
        if known is None or known[0] != version:
            encoding = orjson.Fragment(orjson.dumps(answers.instance(self._state, record)))
            known = self._encodings[record["name"]] = (version, encoding)
        return known[1]

    def shower(self, kind: str) -> Callable[[Request], Record]:
        def call(request: Request) -> Record:
            record = self._find[kind](request.items[0])
            if record is None:
                raise HttpProblem(404)
            return self._shape[kind](self._state, record)

        return call

    def tagger(self, kind: str) -> Callable[[Request], list[str]]:
        def call(request: Request) -> list[str]:
            record = self._find[kind](request.items[0])
            if record is None:
                name = f"{kind.capitalize()} name {request.items[0]} not found"
                raise HttpProblem(500, str((name, "unknown_entity")))
            return sorted(record["tags"])

        return call

    def node_role(self, request: Request) -> str:
        record = self._state.find_node(request.items[0])
        if record is None:
            raise HttpProblem(500, "list index out of range")
        return ROLES[answers.node_role(record)]

    def operating_systems(self) -> list[str]:
        return [f"{name}+default" for name in OPERATING_SYSTEMS]

    def console(self, request: Request) -> Record:
        record = self._state.find_instance(request.items[0])
        if record is None:
            raise HttpProblem(500, "list index out of range")
        if not record["is_running"] or self._state.node_is_offline(record):
            raise HttpProblem(503, "Instance console unavailable")
        text = "Console not available for fake hypervisor"
        return {"instance": record["name"], "kind": "msg", "message": text}

    def jobs(self, request: Request) -> list[Any]:
        if request.flag("bulk"):
            return self._queue.list_bulk()
        return [{"id": job_id, "uri": f"/2/jobs/{job_id}"} for job_id in self._queue.list_ids()]

    async def wait(self, request: Request) -> Record | None:
        body = request.body
        if not isinstance(body, dict):
            raise HttpProblem(500, f"'{type(body).__name__}' object is not subscriptable")
        if "fields" not in body:
            raise HttpProblem(400, "Required parameter 'fields' is missing")
        previous, serial = body.get("previous_job_info"), body.get("previous_log_serial")
        if not isinstance(body["fields"], list):
            raise HttpProblem(400, "The 'fields' parameter should be a list")
        if not (previous is None or isinstance(previous, list)):
            raise HttpProblem(400, "The 'previous_job_info' parameter should be a list")
        if not (serial is None or isinstance(serial, int)):
            raise HttpProblem(400, "The 'previous_log_serial' parameter should be a number")
        job_id = int(request.items[0])
        if not self._queue.knows(job_id):
            raise HttpProblem(500, "Can't load job file")
        return await self._queue.wait(job_id, body["fields"], previous, serial)


def handle(rapi: FakeRapi, method: str, body: bytes) -> Any:
    if method == "GET":
        return rapi.faults.rules
    if method == "DELETE":
        rapi.faults.clear()
        rapi.queue_problem = None
        rapi.state.clock_offset_s = 0.0
        return None
    if method != "PUT":
        raise HttpProblem(501)
    try:
        orders = orjson.loads(body)
        for rule in orders.get("faults", []):
            rapi.faults.add(rule)
        for action in orders.get("actions", []):
            _act(rapi, action)
    except (ValueError, KeyError, TypeError, AttributeError, JobError) as problem:
        raise HttpProblem(400, f"{type(problem).__name__}: {problem}") from problem
    return None


def _act(rapi: FakeRapi, action: dict[str, Any]) -> None:
    state, queue, wanted = rapi.state, rapi.queue, action["do"]
    if wanted in ("remove_instance", "crash_instance", "stop_instance", "rename_instance"):
        _hurt_instance(state, state.instance(action["name"]), action)
    elif wanted == "node_offline":
        node = state.node(action["name"])
        node["offline"] = bool(action.get("to", True))
        state.touch("nodes", node["name"])
    elif wanted == "move_node":
        node = state.node(action["name"])
        node["group"] = state.group(action["to"])["uuid"]
        state.touch("nodes", node["name"])
    elif wanted == "drain_queue":
        rapi.queue_problem = "Job queue is drained, cannot submit"
    elif wanted == "fill_queue":
        rapi.queue_problem = "Job queue is full, needs archiving"
    elif wanted == "open_queue":
        rapi.queue_problem = None
    elif wanted == "cancel_job":
        queue.cancel(int(action["job"]))
    elif wanted in ("archive_job", "purge_job"):
        queue.archive(int(action["job"]), is_purged=wanted == "purge_job")
    elif wanted == "shift_clock":
        state.clock_offset_s = float(action["seconds"])
    else:
        raise ValueError(f"unknown action {wanted!r}")


def _hurt_instance(state: ClusterState, instance: Record, action: dict[str, Any]) -> None:
    """As an administrator on a node could: without a job of ours."""
    if action["do"] == "remove_instance":
        state.forget_instance(instance["name"])
        return
    if action["do"] == "rename_instance":
        rename_record(state, instance, action["to"])
        return
    instance["is_running"] = False
    instance["oper_ram"] = instance["oper_vcpus"] = None
    if action["do"] == "stop_instance":
        instance["admin_state"] = "down"
    state.save_instance(instance)
