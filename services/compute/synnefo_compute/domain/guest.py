"""What a guest is told about itself, in OpenStack's and EC2's layouts: for the metadata service and for the config drive.

Pure: the paths and keys are Nova's, which cloud-init reads. Not for how a guest is recognised, nor for the drive's file system.
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

FOLSOM, GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO, OCATA, ROCKY, VICTORIA, EPOXY = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", "2025-04-04",
)  # fmt: skip
OPENSTACK_VERSIONS = (FOLSOM, GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO, OCATA, ROCKY, VICTORIA, EPOXY)
EC2_VERSIONS = ("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04")
LATEST = "latest"
EC2_VERSION_OF_DRIVES = EC2_VERSIONS[-1]  # the older ones are left out of config drives, as Nova does by default
PASSWORD_MAX = 1020  # of the password that a guest posts, encrypted and in base64
SEED_BYTES = 512


@dataclass(frozen=True)
class File:
    """A file that the user wants in the guest."""

    path: str
    contents: bytes


@dataclass(frozen=True)
class Guest:
    """All that the documents are made of. `random` gives so many random bytes: each reading has another seed."""

    id: str
    project_id: str
    name: str
    hostname: str
    launch_index: int
    reservation_id: str
    availability_zone: str
    flavor_name: str
    image_id: str | None
    metadata: Mapping[str, str]
    random: Callable[[int], bytes]
    key_name: str | None = None
    public_key: str | None = None
    user_data: bytes | None = None
    password: str = ""  # as the guest posted it, encrypted with the key
    ports: Sequence[Mapping[str, Any]] = ()
    volumes: Sequence[Mapping[str, Any]] = ()
    network_data: Mapping[str, Any] = field(default_factory=dict)
    vendor_data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A document or a listing."""

    body: bytes
    is_json: bool = False


def _tokens(path: str) -> list[str]:
    """`/latest/` → ec2, latest; what is not under `openstack` is EC2's."""
    tokens = [token for token in posixpath.normpath("/" + path.lstrip("/")).split("/") if token]
    return tokens if tokens[:1] in (["openstack"], ["ec2"]) else ["ec2", *tokens]


def is_password(path: str) -> bool:
    """Whether the path is that of the guest's password, the only one that may be written."""
    tokens = _tokens(path)
    return tokens[:1] == ["openstack"] and tokens[2:] == ["password"] and tokens[1] in (LATEST, *OPENSTACK_VERSIONS[1:])


def needs_network_data(path: str) -> bool:
    """Whether `Guest.network_data` matters for the answer."""
    return path.endswith("network_data.json")


def look_up(guest: Guest, path: str, *, today: str) -> Answer | None:
    """What is at a path for a guest at the metadata service; None: nothing. `today` is an ISO date: later versions are not listed."""
    kind, *tokens = _tokens(path)
    if kind == "openstack":
        if not tokens:
            return _listing([*(v for v in OPENSTACK_VERSIONS if v <= today), LATEST])
        version = OPENSTACK_VERSIONS[-1] if tokens[0] == LATEST else tokens[0]
        if version not in OPENSTACK_VERSIONS or len(tokens) > 2:
            return None
        documents = _openstack(guest, version)
        if len(tokens) == 1:
            return _listing(list(documents))
        made = documents.get(tokens[1])
        return None if made is None else Answer(made(), is_json=tokens[1].endswith(".json") and tokens[1] != "network_data.json")
    if not tokens:
        return _listing([*EC2_VERSIONS, LATEST])
    version = EC2_VERSIONS[-1] if tokens[0] == LATEST else tokens[0]
    return _in_tree(_ec2(guest, version), tokens[1:]) if version in EC2_VERSIONS else None


def _listing(names: Sequence[str]) -> Answer:
    return Answer("\n".join(names).encode())


def _openstack(
    guest: Guest, version: str, *, files: Sequence[File] = (), admin_pass: str | None = None, on_drive: bool = False
) -> dict[str, Callable[[], bytes]]:
    """The documents of a version by name, in the order in which they are listed."""
    found: dict[str, Callable[[], bytes]] = {
        "meta_data.json": lambda: orjson.dumps(meta_data(guest, version, files=files, admin_pass=admin_pass))
    }
    user_data = guest.user_data
    if user_data is not None:
        found["user_data"] = lambda: user_data
    if version >= GRIZZLY and not on_drive:
        found["password"] = guest.password.encode
    if version >= HAVANA:
        found["vendor_data.json"] = lambda: orjson.dumps(guest.vendor_data)
    if version >= LIBERTY:
        found["network_data.json"] = lambda: orjson.dumps(guest.network_data)
    if version >= NEWTON_TWO:
        found["vendor_data2.json"] = lambda: orjson.dumps({"static": guest.vendor_data})
    return found


def meta_data(guest: Guest, version: str, *, files: Sequence[File] = (), admin_pass: str | None = None) -> dict[str, Any]:
    """`meta_data.json`. Files and the administrator's password are on config drives only."""
    found: dict[str, Any] = {"uuid": guest.id}
    if guest.metadata:
        found["meta"] = dict(guest.metadata)
    if files:
        found["files"] = [{"path": file.path, "content_path": f"/content/{_content(i)}"} for i, file in enumerate(files)]
    if admin_pass is not None:
        found["admin_pass"] = admin_pass
    if guest.key_name and guest.public_key:
        found["public_keys"] = {guest.key_name: guest.public_key}
        found["keys"] = [{"name": guest.key_name, "type": "ssh", "data": guest.public_key}]
    found |= {
        "hostname": guest.hostname, "name": guest.name, "launch_index": guest.launch_index, "availability_zone": guest.availability_zone,
    }  # fmt: skip
    if version >= GRIZZLY:
        found["random_seed"] = base64.b64encode(guest.random(SEED_BYTES)).decode()
    if version >= LIBERTY:
        found["project_id"] = guest.project_id
    if version >= NEWTON_ONE:
        found["devices"] = _devices(guest, version)
    if version >= VICTORIA:
        found["dedicated_cpus"] = []
    return found


def _devices(guest: Guest, version: str) -> list[dict[str, Any]]:
    """Tagged disks and interfaces. Where they are on the guest's buses is Ganeti's to choose: `none`, as where Nova cannot tell."""
    found: list[dict[str, Any]] = []
    for port in guest.ports:
        if port.get("tag"):
            trusted = {"vf_trusted": False} if version >= ROCKY else {}
            found.append({**trusted, "type": "nic", "mac": port["mac_address"], "bus": "none", "address": "none", "tags": [port["tag"]]})
    for volume in guest.volumes:
        if volume.get("tag"):
            path = {"path": volume["device_name"]} if volume.get("device_name") else {}
            found.append({"type": "disk", "serial": volume["id"], **path, "bus": "none", "address": "none", "tags": [volume["tag"]]})
    return found


def _content(index: int) -> str:
    return f"{index:04d}"


def _ec2(guest: Guest, version: str) -> dict[str, Any]:
    """The EC2 tree of a version. `_name` of a directory is the line that stands for it in its parent's listing."""
    fixed = [a["ip_address"] for port in guest.ports for a in port.get("fixed_ips") or () if ":" not in a["ip_address"]]
    floating = [a["ip_address"] for port in guest.ports for a in port.get("floating_ips") or ()]
    groups = dict.fromkeys(group["name"] for port in guest.ports for group in port.get("security_groups") or ())
    found: dict[str, Any] = {
        # No guest has a manifest: the value is what Nova gives, for which images look.
        "ami-id": f"ami-{(guest.image_id or '00000000')[:8]}", "ami-launch-index": guest.launch_index, "ami-manifest-path": "FIXME",
        "instance-id": f"i-{guest.id[:8]}", "hostname": guest.hostname, "local-ipv4": fixed[0] if fixed else "",
        "reservation-id": guest.reservation_id, "security-groups": list(groups),
    }  # fmt: skip
    if guest.key_name and guest.public_key:
        found["public-keys"] = {"0": {"_name": f"0={guest.key_name}", "openssh-key": guest.public_key}}
    if version >= "2007-01-19":
        found |= {"local-hostname": guest.hostname, "public-hostname": guest.hostname, "public-ipv4": floating[0] if floating else ""}
    if version >= "2007-08-29":
        found["instance-type"] = guest.flavor_name
    if version >= "2007-12-15":
        found["block-device-mapping"] = _block_devices(guest)
    if version >= "2008-02-01":
        found["placement"] = {"availability-zone": guest.availability_zone}
    if version >= "2008-09-01":
        found["instance-action"] = "none"
    return {"meta-data": found, **({} if guest.user_data is None else {"user-data": guest.user_data})}


def _block_devices(guest: Guest) -> dict[str, str]:
    shown = [v for v in guest.volumes if v.get("device_name")]
    root = next((v["device_name"] for v in shown if v.get("boot_index") == 0), "/dev/vda")
    found = {"ami": root.removeprefix("/dev/"), "root": root}
    others = [v for v in shown if v.get("boot_index") != 0 and v.get("visible", True)]
    return found | {f"ebs{i}": v["device_name"] for i, v in enumerate(others)}


def _in_tree(tree: Any, tokens: Sequence[str]) -> Answer | None:
    for token in tokens:
        if not isinstance(tree, dict) or token not in tree or token == "_name":
            return None
        tree = tree[token]
    if isinstance(tree, dict):
        return _listing([_entry(name, tree[name]) for name in sorted(tree) if name != "_name"])
    if isinstance(tree, list):
        return _listing(tree)
    return Answer(tree if isinstance(tree, bytes) else str(tree).encode())


def _entry(name: str, value: Any) -> str:
    return str(value.get("_name") or f"{name}/") if isinstance(value, dict) else name


def drive_files(guest: Guest, *, files: Sequence[File] = (), admin_pass: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Path and contents of all that is on the guest's config drive."""
    for version in (EC2_VERSION_OF_DRIVES, LATEST):
        tree = _ec2(guest, EC2_VERSION_OF_DRIVES)
        if "user-data" in tree:
            yield f"ec2/{version}/user-data", tree["user-data"]
        yield f"ec2/{version}/meta-data.json", orjson.dumps(_nameless(tree["meta-data"]))
    for version in (*OPENSTACK_VERSIONS, LATEST):
        documents = _openstack(
            guest, OPENSTACK_VERSIONS[-1] if version == LATEST else version, files=files, admin_pass=admin_pass, on_drive=True
        )
        for name, made in documents.items():
            yield f"openstack/{version}/{name}", made()
    for index, file in enumerate(files):
        yield f"openstack/content/{_content(index)}", file.contents


def _nameless(tree: Any) -> Any:
    return {key: _nameless(value) for key, value in tree.items() if key != "_name"} if isinstance(tree, dict) else tree
