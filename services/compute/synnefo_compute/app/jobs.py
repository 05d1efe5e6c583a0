"""Jobs for Ganeti: the messages that compute sends to the dispatcher. Names and tags that both sides know are made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synnefo_common.bus.topology import job_routing_key
from synnefo_common.contracts.envelope import JOBS, Event
from synnefo_common.db import UnitOfWork
from synnefo_compute.settings import Settings


def instance_name(settings: Settings, server_id: str) -> str:
    """The name of a server's instance in Ganeti."""
    return f"{settings.instance_prefix}{server_id}"


def nic_of(port: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A port as a NIC: the MAC address is always ours."""
    addresses = port.get("fixed_ips") or []
    return {
        "name": f"snf-nic-{port['id']}", "mac": port["mac_address"], "mode": settings.nic_mode, "link": settings.nic_link,
        "ip": next((a["ip_address"] for a in addresses if a.get("version", 4) == 4), None),
    }  # fmt: skip


def disk_of(volume: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A volume as a disk of template ext."""
    return {"name": f"snf-vol-{volume['id']}", "size_mib": int(volume["size_gib"]) * 1024, "provider": settings.disk_provider}


def create_params(
    settings: Settings, *, server_id: str, vcpus: int, ram_mib: int, ports: Sequence[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]],
    node_group: str | None = None, node: str | None = None,
) -> dict[str, Any]:
    """Parameters of `instance.create`."""
    return {
        "vcpus": vcpus, "ram_mib": ram_mib, "nics": [nic_of(p, settings) for p in ports], "disks": [disk_of(v, settings) for v in volumes],
        "os": settings.default_os, "tags": [f"synnefo:server:{server_id}"], "osparams": {}, "hvparams": {}, "start": True,
        **({"group": node_group} if node_group else {}), **({"node": node} if node else {}),
    }  # fmt: skip


def emit_job(
    uow: UnitOfWork, *, server_id: str, cluster: str, verb: str, token: str, params: Mapping[str, Any] | None = None
) -> None:
    """Append the job to the outbox. `verb` is e.g. `instance.create`; `token` names this job for ever."""
    data = {"job_token": token, "server_id": server_id, "cluster": cluster, "verb": verb, "params": dict(params or {})}
    key = job_routing_key(cluster, verb)
    uow.emit(Event(type="ganeti.job.requested", aggregate="server", aggregate_id=server_id, data=data, exchange=JOBS, routing_key=key))
