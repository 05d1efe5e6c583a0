"""Which calls submit which opcodes, and how a request becomes an opcode's parameters.

Not for: checking those parameters (see `opcodes`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synnefo_fake_ganeti.opcodes import build_opcode
from synnefo_fake_ganeti.problems import HttpProblem

NAME = r"([\w._-]+)"
Query = dict[str, list[str]]


@dataclass(frozen=True)
class Request:
    items: tuple[str, ...]
    query: Query
    body: Any

    def number(self, name: str) -> int:
        values = self.query.get(name)
        try:
            return int(values[0]) if values else 0
        except ValueError:
            raise HttpProblem(400, f"Invalid value for the '{name}' parameter") from None

    def flag(self, name: str) -> bool:
        return bool(self.number(name))

    def reason(self, source: str, now_ns: int) -> list[list[Any]]:
        trail: list[list[Any]] = []
        if self.query.get("reason"):
            trail.append(["gnt:user", self.query["reason"][0], now_ns])
        trail.append([f"gnt:library:rlib2:{source}", "", now_ns])
        return trail


Input = Callable[[Request], tuple[Any, dict[str, Any]]]


@dataclass(frozen=True)
class OpcodeRoute:
    method: str
    path: str
    name: str
    op_id: str
    input: Input
    rename: dict[str, str] | None = None
    opcodes: Callable[[Request], list[dict[str, Any]] | None] = lambda _: None


def _dry(request: Request) -> dict[str, Any]:
    return {"dry_run": request.flag("dry-run")}


def _instance(request: Request) -> dict[str, Any]:
    return {"instance_name": request.items[0]}


def _create(request: Request) -> tuple[Any, dict[str, Any]]:
    body = request.body
    if not isinstance(body, dict):
        raise HttpProblem(400, f"Body contents: Type is '{type(body).__name__}', but 'dict' is expected")
    version = body.get("__version__", 0)
    if version == 0:
        raise HttpProblem(400, "Instance creation request version 0 is no longer supported")
    if version != 1:
        raise HttpProblem(400, f"Unsupported request data version {version}")
    return {key: value for key, value in body.items() if key != "__version__"}, _dry(request)


def _modify(request: Request) -> tuple[Any, dict[str, Any]]:
    if request.body is None:
        raise HttpProblem(500, "'NoneType' object has no attribute 'copy'")
    return request.body, _instance(request)


def _role(request: Request) -> tuple[Any, dict[str, Any]]:
    role = request.body
    if not isinstance(role, str):
        raise HttpProblem(400, f"Body contents: Type is '{type(role).__name__}', but 'str' is expected")
    roles: dict[str, dict[str, Any]] = {
        "regular": {"master_candidate": False, "offline": False, "drained": False},
        "master-candidate": {"master_candidate": True, "offline": None, "drained": None},
        "drained": {"drained": True, "master_candidate": None, "offline": None},
        "offline": {"offline": True, "master_candidate": None, "drained": None},
    }
    if role not in roles:
        raise HttpProblem(400, f"Can't set '{role}' role")
    static = {"node_name": request.items[0], "force": request.flag("force"), **roles[role]}
    return {}, {**static, "auto_promote": request.flag("auto-promote")}


def _tags(kind: str) -> Input:
    def build(request: Request) -> tuple[Any, dict[str, Any]]:
        name = request.items[0] if request.items else None
        return {}, {"kind": kind, "name": name, "tags": request.query.get("tag", []), **_dry(request)}

    return build


def _reinstall(request: Request) -> list[dict[str, Any]]:
    body = request.body or {}
    if request.body and request.query:
        raise HttpProblem(400, "Can't combine query and body parameters")
    if request.query:
        body = {"os": request.query.get("os", [None])[0], "start": not request.flag("nostartup")}
    if not isinstance(body, dict):
        raise HttpProblem(400, "Invalid body contents, not a dictionary")
    if not isinstance(body.get("start", True), bool):
        kind = type(body["start"]).__name__
        raise HttpProblem(400, f"'start' parameter: Type is '{kind}', but 'bool' is expected")
    target = {"instance_name": request.items[0]}
    settings = {"os_type": body.get("os"), "osparams": body.get("osparams")}
    opcodes = [
        build_opcode("OP_INSTANCE_SHUTDOWN", target, static={}),
        build_opcode("OP_INSTANCE_REINSTALL", {**target, **settings}, static={}),
    ]
    if body.get("start", True):
        opcodes.append(build_opcode("OP_INSTANCE_STARTUP", {**target, "force": False}, static={}))
    return opcodes


def _with_body(*flags: str, is_dry: bool = True) -> Input:
    def build(request: Request) -> tuple[Any, dict[str, Any]]:
        extra = {flag: request.flag(flag) for flag in flags}
        return request.body, {**_instance(request), **extra, **(_dry(request) if is_dry else {})}

    return build


def _named(key: str, *, is_dry: bool = True, has_body: bool = True) -> Input:
    def build(request: Request) -> tuple[Any, dict[str, Any]]:
        body = request.body if has_body else {}
        return body, {key: request.items[0], **(_dry(request) if is_dry else {})}

    return build


def _reboot(request: Request) -> tuple[Any, dict[str, Any]]:
    kind = request.query.get("type", ["hard"])[0]
    body, static = _with_body("ignore_secondaries")(request)
    return body, {**static, "reboot_type": kind}


def _startup(request: Request) -> tuple[Any, dict[str, Any]]:
    flags = {"force": request.flag("force"), "no_remember": request.flag("no_remember")}
    return {}, {**_instance(request), **flags, **_dry(request)}


def _delete(request: Request) -> tuple[Any, dict[str, Any]]:
    return request.body, {**_instance(request), "ignore_failures": False, **_dry(request)}


def _grow(request: Request) -> tuple[Any, dict[str, Any]]:
    return request.body, {**_instance(request), "disk": int(request.items[1])}


def _info(request: Request) -> tuple[Any, dict[str, Any]]:
    return {}, {"instances": [request.items[0]], "static": request.flag("static")}


def _post(request: Request) -> tuple[Any, dict[str, Any]]:
    return request.body, _dry(request)


_I = f"/2/instances/{NAME}"
_CUSTOM = {"custom_beparams": "beparams", "custom_hvparams": "hvparams"}
_CREATE_NAMES = {"os": "os_type", "name": "instance_name"}

OPCODE_ROUTES: list[OpcodeRoute] = [
    OpcodeRoute("POST", "/2/instances", "instances", "OP_INSTANCE_CREATE", _create, _CREATE_NAMES),
    OpcodeRoute("DELETE", _I, "instances_name", "OP_INSTANCE_REMOVE", _delete),
    OpcodeRoute("GET", f"{_I}/info", "instances_name_info", "OP_INSTANCE_QUERY_DATA", _info),
    OpcodeRoute("POST", f"{_I}/reboot", "instances_name_reboot", "OP_INSTANCE_REBOOT", _reboot),
    OpcodeRoute("PUT", f"{_I}/startup", "instances_name_startup", "OP_INSTANCE_STARTUP", _startup),
    OpcodeRoute("PUT", f"{_I}/shutdown", "instances_name_shutdown", "OP_INSTANCE_SHUTDOWN", _with_body("no_remember")),
    OpcodeRoute("PUT", f"{_I}/modify", "instances_name_modify", "OP_INSTANCE_SET_PARAMS", _modify, _CUSTOM),
    OpcodeRoute("POST", f"{_I}/disk/([0-9]+)/grow", "instances_name_disk_grow", "OP_INSTANCE_GROW_DISK", _grow),
    OpcodeRoute("PUT", f"{_I}/migrate", "instances_name_migrate", "OP_INSTANCE_MIGRATE", _with_body(is_dry=False)),
    OpcodeRoute("PUT", f"{_I}/failover", "instances_name_failover", "OP_INSTANCE_FAILOVER", _with_body(is_dry=False)),
    OpcodeRoute("PUT", f"{_I}/rename", "instances_name_rename", "OP_INSTANCE_RENAME", _with_body(is_dry=False)),
    OpcodeRoute("POST", f"{_I}/reinstall", "instances_name_reinstall", "OP_INSTANCE_REINSTALL", _post, None, _reinstall),
    OpcodeRoute("PUT", f"/2/nodes/{NAME}/role", "nodes_name_role", "OP_NODE_SET_PARAMS", _role),
    OpcodeRoute(
        "POST",
        f"/2/nodes/{NAME}/modify",
        "nodes_name_modify",
        "OP_NODE_SET_PARAMS",
        _named("node_name", is_dry=False),
    ),
    OpcodeRoute("POST", "/2/networks", "networks", "OP_NETWORK_ADD", _post, {"name": "network_name"}),
    OpcodeRoute("DELETE", f"/2/networks/{NAME}", "networks_name", "OP_NETWORK_REMOVE", _named("network_name")),
    OpcodeRoute(
        "PUT",
        f"/2/networks/{NAME}/connect",
        "networks_name_connect",
        "OP_NETWORK_CONNECT",
        _named("network_name"),
    ),
    OpcodeRoute(
        "PUT",
        f"/2/networks/{NAME}/disconnect",
        "networks_name_disconnect",
        "OP_NETWORK_DISCONNECT",
        _named("network_name"),
    ),
    OpcodeRoute("POST", "/2/groups", "groups", "OP_GROUP_ADD", _post, {"name": "group_name"}),
    OpcodeRoute("DELETE", f"/2/groups/{NAME}", "groups_name", "OP_GROUP_REMOVE", _named("group_name", has_body=False)),
]

for _method, _op in (("PUT", "OP_TAGS_SET"), ("DELETE", "OP_TAGS_DEL")):
    OPCODE_ROUTES.append(OpcodeRoute(_method, "/2/tags", "tags", _op, _tags("cluster")))
    for _plural, _kind in (
        ("instances", "instance"),
        ("nodes", "node"),
        ("groups", "nodegroup"),
        ("networks", "network"),
    ):
        OPCODE_ROUTES.append(OpcodeRoute(_method, f"/2/{_plural}/{NAME}/tags", f"{_plural}_name_tags", _op, _tags(_kind)))
