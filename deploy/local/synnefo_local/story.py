"""The main job of the cloud as a table of commands of the real `openstack` client.

`make demo` shows it and `tests/story` asserts it: one table for both. Names in braces are filled in by the walk.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CATALOGUE = {"identity", "compute", "network", "image", "block-storage", "volumev3", "object-store"}
NET = "10.20.0."


class StoryError(Exception):
    """A step did not give what the story tells."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise StoryError(f"this is not JSON: {self.out[:300]!r}") from error


@dataclass
class Walk:
    """What a walk knows: the names it fills in, and what earlier steps found."""

    prefix: str
    folder: Path
    count_blocks: Callable[[], int]
    names: dict[str, str] = field(default_factory=dict)
    usage_before: dict[str, int] = field(default_factory=dict)
    blocks_before: int = 0

    def fill(self, command: str) -> str:
        return command.format(p=self.prefix, dir=self.folder, **self.names)


Check = Callable[[Walk, Answer], str]


@dataclass(frozen=True)
class Step:
    """A command, and what its answer must be; `check` returns the line to show or raises StoryError."""

    title: str
    command: str
    check: Check | None = None
    eventually: bool = False  # the answer becomes right by itself: ask again until it is
    refused: str = ""  # the command must fail and say this
    before: Callable[[Walk], None] | None = None


def demand(truth: object, message: str) -> None:
    if not truth:
        raise StoryError(message)


def has(key: str, wanted: str) -> Check:
    """The answer's `key` is `wanted`."""

    def check(_: Walk, answer: Answer) -> str:
        value = answer.json.get(key)
        demand(value == wanted, f"{key} is {value!r}, not {wanted!r}: {answer.json.get('fault', '')}")
        return f"{key} {value}"

    return check


def logged_in(walk: Walk, answer: Answer) -> str:
    walk.names["project"] = answer.json["project_id"]
    return f"token until {answer.json['expires']}"


def catalogue(_: Walk, answer: Answer) -> str:
    types = {entry["Type"] for entry in answer.json}
    demand(types >= CATALOGUE, f"not in the catalogue: {', '.join(sorted(CATALOGUE - types))}")
    return ", ".join(sorted(types))


def usage(answer: Answer) -> dict[str, int]:
    """What is used or reserved of each resource. Key pairs are counted per user and shown as N/A."""
    return {
        row["Resource"]: int(row["In Use"]) + int(row["Reserved"] or 0)
        for row in answer.json
        if str(row["In Use"]).lstrip("-").isdigit()
    }


def used(found: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(found.items()) if n) or "nothing used"


def note_usage(walk: Walk, answer: Answer) -> str:
    walk.usage_before = usage(answer)
    demand(walk.usage_before, "no usage is shown")
    return used(walk.usage_before)


def usage_rose(walk: Walk, answer: Answer) -> str:
    found = usage(answer)
    for name, more in {"instances": 2, "cores": 2, "ram": 1024, "networks": 1, "subnets": 1, "ports": 2}.items():
        rise = found.get(name, 0) - walk.usage_before.get(name, 0)
        demand(rise == more, f"{name} rose by {rise}, not by {more}")
    demand(found.get("volumes", 0) > walk.usage_before.get("volumes", 0), "volumes did not rise")
    return used(found)


def usage_is_back(walk: Walk, answer: Answer) -> str:
    found = usage(answer)
    wrong = {name: n for name, n in found.items() if n != walk.usage_before.get(name, 0)}
    demand(not wrong, f"still used: {used(wrong)}")
    return used(found)


def image_size(_: Walk, answer: Answer) -> str:
    demand(answer.json["status"] == "active", f"status is {answer.json['status']}")
    return f"active, {answer.json['size']} bytes"


def has_address(_: Walk, answer: Answer) -> str:
    addresses = json.dumps(answer.json["addresses"])
    demand(NET in addresses, f"no address of the network: {addresses}")
    return addresses


def is_listed(walk: Walk, answer: Answer) -> str:
    found = {row["Name"]: row for row in answer.json}
    server = found.get(f"{walk.prefix}-server")
    demand(server, f"not in the list of {sorted(found)}")
    assert server is not None
    demand(NET in json.dumps(server["Networks"]), f"no address in the list: {server['Networks']}")
    return f"{len(found)} servers, {server['Name']} {server['Status']}"


def resized(_: Walk, answer: Answer) -> str:
    demand(answer.json["status"] == "ACTIVE", f"status is {answer.json['status']}")
    demand("m1.tiny" in json.dumps(answer.json["flavor"]), f"flavor is {answer.json['flavor']}")
    return "ACTIVE, flavor m1.tiny"


def note_address(walk: Walk, answer: Answer) -> str:
    walk.names["floating_ip"] = answer.json["floating_ip_address"]
    return walk.names["floating_ip"]


def same_bytes(walk: Walk, _: Answer) -> str:
    sent, got = (walk.folder / "note.txt").read_bytes(), (walk.folder / "note.back").read_bytes()
    demand(sent == got, "the object came back different")
    return f"{len(got)} bytes, the same as sent"


def count_blocks_first(walk: Walk) -> None:
    walk.blocks_before = walk.count_blocks()
    demand(walk.blocks_before, "the image has no blocks: they are counted in the wrong place")


def no_new_block(walk: Walk, _: Answer) -> str:
    now = walk.count_blocks()
    demand(now <= walk.blocks_before, f"blocks rose from {walk.blocks_before} to {now}: bytes were stored twice")
    return f"{now} blocks before and after: the image's bytes are not stored twice"


def clean_audit(_: Walk, answer: Answer) -> str:
    return (answer.out.strip().splitlines() or ["nothing found"])[-1]


def server_is(status: str) -> Step:
    return Step(f"server {status}", "openstack server show {p}-server -f json", has("status", status), eventually=True)


def volume_is(status: str) -> Step:
    return Step(f"volume {status}", "openstack volume show {p}-volume -f json", has("status", status), eventually=True)


SERVER = "openstack server create --network {p}-net --wait -f json "

MAKE = (
    Step("log in", "openstack token issue -f json", logged_in),
    Step("catalogue", "openstack catalog list -f json", catalogue),
    Step("default security group", "openstack security group list"),
    Step("quota before", "openstack quota show --usage -f json", note_usage),
    Step(
        "image from a file",
        "openstack image create --disk-format raw --container-format bare --file {dir}/disk.raw -f json {p}-image",
        image_size,
    ),
    Step("key pair", "openstack keypair create --private-key {dir}/key {p}-key"),
    Step("network", "openstack network create -f json {p}-net", has("status", "ACTIVE")),
    Step(
        "subnet",
        f"openstack subnet create --network {{p}}-net --subnet-range {NET}0/24 -f json {{p}}-subnet",
        has("cidr", f"{NET}0/24"),
    ),
    Step("security group", "openstack security group create {p}-ssh"),
    Step(
        "rule",
        "openstack security group rule create --protocol tcp --dst-port 22 -f json {p}-ssh",
        has("protocol", "tcp"),
    ),
    Step(
        "boot",
        SERVER + "--flavor m1.nano --image {p}-image --security-group {p}-ssh --key-name {p}-key {p}-server",
        has("status", "ACTIVE"),
    ),
    Step("list", "openstack server list -f json", is_listed),
    Step("show", "openstack server show {p}-server -f json", has_address),
    # Ganeti's hypervisor `fake` has no serial port; the answer must be a conflict that says so.
    Step("console log", "openstack console log show {p}-server", refused="409"),
    Step("volume", "openstack volume create --size 1 -f json {p}-volume", has("size", 1)),  # type: ignore[arg-type]
    volume_is("available"),
    Step("attach", "openstack server add volume {p}-server {p}-volume"),
    volume_is("in-use"),
    Step("stop", "openstack server stop {p}-server"),
    server_is("SHUTOFF"),
    Step("start", "openstack server start {p}-server"),
    server_is("ACTIVE"),
    Step("reboot", "openstack server reboot --wait {p}-server"),
    Step("resize", "openstack server resize --flavor m1.tiny --wait {p}-server"),
    Step("confirm", "openstack server resize confirm {p}-server"),
    Step("resized", "openstack server show {p}-server -f json", resized, eventually=True),
    Step("image of the server", "openstack server image create --name {p}-snapshot --wait {p}-server"),
    Step("snapshot", "openstack image show -f json {p}-snapshot", has("status", "active"), eventually=True),
    Step("boot from it", SERVER + "--flavor m1.tiny --image {p}-snapshot {p}-second", has("status", "ACTIVE")),
    Step("floating IP", "openstack floating ip create -f json public", note_address),
    Step("release it", "openstack floating ip delete {floating_ip}"),
    Step("container", "openstack container create {p}-files"),
    Step("store a file", "openstack object create --name note.txt {p}-files {dir}/note.txt"),
    Step("get it back", "openstack object save --file {dir}/note.back {p}-files note.txt", same_bytes),
    Step(
        "store the image's file too",
        "openstack object create --name disk.raw {p}-files {dir}/disk.raw",
        no_new_block,
        before=count_blocks_first,
    ),
    Step("quota now", "openstack quota show --usage -f json", usage_rose),
)

UNMAKE = (
    Step("detach", "openstack server remove volume {p}-server {p}-volume"),
    volume_is("available"),
    Step("delete servers", "openstack server delete --wait {p}-server {p}-second"),
    Step("delete volume", "openstack volume delete {p}-volume"),
    Step("delete images", "openstack image delete {p}-image {p}-snapshot"),
    Step("delete group", "openstack security group delete {p}-ssh"),
    Step("delete subnet", "openstack subnet delete {p}-subnet"),
    Step("delete network", "openstack network delete {p}-net"),
    Step("delete key pair", "openstack keypair delete {p}-key"),
    Step("delete files", "openstack container delete --recursive {p}-files"),
    Step("quota after", "openstack quota show --usage -f json", usage_is_back, eventually=True),
    Step("audit", "synnefo audit", clean_audit),
)
