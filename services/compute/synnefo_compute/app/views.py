"""Rows as Nova shows them: straight from the row to the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha224
from typing import Any

from sqlalchemy import Row

from synnefo_common.clock import iso
from synnefo_compute.app.jobs import instance_name
from synnefo_compute.domain.states import status_of
from synnefo_compute.settings import Settings

_PROGRESS_STATUSES = frozenset({"ACTIVE", "BUILD", "DELETED", "MIGRATING", "RESIZE", "VERIFY_RESIZE", "REBUILD", "REVERT_RESIZE"})
_FAULT_STATUSES = frozenset({"ERROR", "DELETED"})


def links(url: str, kind: str, item_id: str) -> list[dict[str, str]]:
    """`self` and `bookmark`."""
    bookmark = f"{url.removesuffix('/v2.1')}/{kind}/{item_id}"
    return [{"rel": "self", "href": f"{url}/{kind}/{item_id}"}, {"rel": "bookmark", "href": bookmark}]


def server_summary(row: Row[Any], url: str) -> dict[str, Any]:
    """An item of GET /servers."""
    return {"id": row.id, "name": row.name, "links": links(url, "servers", row.id)}


def addresses(ports: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Network name → addresses, fixed and floating."""
    found: dict[str, list[dict[str, Any]]] = {}
    for port in ports:
        of_network = found.setdefault(port.get("network_name") or port["network_id"], [])
        for kind, key in (("fixed", "fixed_ips"), ("floating", "floating_ips")):
            for address in port.get(key) or ():
                of_network.append(
                    {
                        "version": address.get("version", 6 if ":" in address["ip_address"] else 4), "addr": address["ip_address"],
                        "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
                    }
                )  # fmt: skip
    return found


def security_groups(ports: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Names, once each, in order of first sight."""
    names = dict.fromkeys(group["name"] for port in ports for group in port.get("security_groups") or ())
    return [{"name": name} for name in names]


@lru_cache(maxsize=1024)
def host_id(project_id: str, cluster: str | None) -> str:
    """The project's opaque name of the cluster."""
    return sha224(f"{project_id}{cluster}".encode()).hexdigest() if cluster else ""


def server_detail(
    row: Row[Any], ports: list[dict[str, Any]], volumes: list[dict[str, Any]], *, url: str, is_admin: bool, settings: Settings
) -> dict[str, Any]:
    """GET /servers/{id} at 2.1."""
    status = status_of(row.vm_state, row.task_state)
    bookmark = url.removesuffix("/v2.1")
    flavor_id = row.flavor["id"]
    server: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "status": status,
        "tenant_id": row.project_id,
        "user_id": row.user_id,
        "metadata": row.metadata,
        "hostId": host_id(row.project_id, row.cluster),
        "image": {"id": row.image_id, "links": [{"rel": "bookmark", "href": f"{bookmark}/images/{row.image_id}"}]} if row.image_id else "",
        "flavor": {"id": flavor_id, "links": [{"rel": "bookmark", "href": f"{bookmark}/flavors/{flavor_id}"}]},
        "created": iso(row.created_at),
        "updated": iso(row.updated_at),
        "addresses": addresses(ports),
        "accessIPv4": row.access_ip_v4,
        "accessIPv6": row.access_ip_v6,
        "links": links(url, "servers", row.id),
        "OS-DCF:diskConfig": row.disk_config,
        "OS-EXT-AZ:availability_zone": (row.availability_zone or settings.availability_zone) if row.cluster else (row.availability_zone or ""),
        "config_drive": "True" if row.config_drive else "",
        "key_name": row.key_name,
        "OS-SRV-USG:launched_at": iso(row.launched_at, micros=True, zone=False),
        "OS-SRV-USG:terminated_at": iso(row.deleted_at, micros=True, zone=False),
        "OS-EXT-STS:task_state": row.task_state,
        "OS-EXT-STS:vm_state": row.vm_state,
        "OS-EXT-STS:power_state": row.power_state,
        "os-extended-volumes:volumes_attached": [{"id": v["id"]} for v in volumes if v.get("visible", True)],
    }
    groups = security_groups(ports)
    if groups:
        server["security_groups"] = groups
    if status in _PROGRESS_STATUSES:
        server["progress"] = row.progress
    if status in _FAULT_STATUSES and row.fault:
        server["fault"] = {"code": row.fault["code"], "message": row.fault["message"], "created": iso(row.fault["created"])}
    if is_admin:
        server["OS-EXT-SRV-ATTR:host"] = row.cluster
        server["OS-EXT-SRV-ATTR:hypervisor_hostname"] = row.node or row.cluster
        server["OS-EXT-SRV-ATTR:instance_name"] = instance_name(settings, row.id)
    return server


def flavor_summary(row: Row[Any], url: str) -> dict[str, Any]:
    """An item of GET /flavors."""
    return {"id": row.id, "name": row.name, "links": links(url, "flavors", row.id)}


def flavor_detail(row: Row[Any], url: str) -> dict[str, Any]:
    """GET /flavors/{id} at 2.1."""
    return {
        "id": row.id, "name": row.name, "ram": row.ram_mib, "disk": row.disk_gib, "vcpus": row.vcpus, "swap": row.swap_mib or "",
        "OS-FLV-EXT-DATA:ephemeral": row.ephemeral_gib, "OS-FLV-DISABLED:disabled": row.is_disabled,
        "os-flavor-access:is_public": row.is_public, "rxtx_factor": row.rxtx_factor, "links": links(url, "flavors", row.id),
    }  # fmt: skip


def action_summary(row: Row[Any]) -> dict[str, Any]:
    """An item of os-instance-actions."""
    return {
        "action": row.action, "instance_uuid": row.server_id, "request_id": row.request_id, "user_id": row.user_id,
        "project_id": row.project_id, "start_time": iso(row.started_at, micros=True, zone=False),
        "message": "Error" if row.message else None,
    }  # fmt: skip


def action_detail(row: Row[Any], *, with_traceback: bool) -> dict[str, Any]:
    """One instance action with its event. The reason of a failure is readable by the owner, unlike Nova's traceback."""
    event = {
        "event": row.event, "start_time": iso(row.started_at, micros=True, zone=False),
        "finish_time": iso(row.finished_at, micros=True, zone=False),
        "result": None if row.finished_at is None else ("Error" if row.message else "Success"), "traceback": None,
    }  # fmt: skip
    if with_traceback or row.message:
        event["traceback"] = row.message
    return {**action_summary(row), "message": row.message, "events": [event]}
