"""The invariants of a running cloud as pure functions over what the services say of themselves (`GET /admin/v1/audit`).

Numbers are those of the promises: 1 servers and instances, 2 jobs, 3 transitional states, 4 quota, 5 addresses, 6 storage,
7 attachments, 8 messages. A finding that is gone a few seconds later was work under way: the caller asks again (`settled`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Facts = dict[str, dict[str, Any]]
STUCK_S = 120.0
COMMISSION_S = 300.0
OUTBOX_S = 60.0
_QUIET_VOLUME = frozenset({"available", "in-use", "error", "error_deleting", "error_restoring", "error_extending", "reserved", "maintenance"})
_QUIET_IMAGE = frozenset({"active", "queued", "killed", "deleted", "deactivated"})


@dataclass(frozen=True, order=True)
class Finding:
    """One violated invariant."""

    invariant: int
    code: str
    subject: str
    text: str


def check(facts: Facts) -> list[Finding]:
    """All findings, sorted. A service that is missing from the facts is not judged."""
    found: set[Finding] = set()
    for rule in (_servers_and_instances, _jobs, _transitions, _quota, _addresses, _storage, _attachments, _messages):
        found |= set(rule(facts))
    return sorted(found)


def _rows(facts: Facts, service: str, key: str) -> list[dict[str, Any]]:
    return list(facts.get(service, {}).get(key) or [])


def _servers_and_instances(facts: Facts) -> Iterator[Finding]:
    if "compute" not in facts or "dispatcher" not in facts:
        return
    silent = set(facts["dispatcher"].get("unreachable") or ())
    by_server: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for instance in _rows(facts, "dispatcher", "instances"):
        by_server[instance["server_id"] or instance["name"]].append(instance)
    live = {s["id"]: s for s in _rows(facts, "compute", "servers")}
    for server_id, instances in by_server.items():
        where = ", ".join(i["cluster"] for i in instances)
        if server_id not in live:
            yield Finding(1, "instance_without_server", server_id, f"an instance on {where} has no server")
        elif len(instances) > 1:
            yield Finding(1, "instance_twice", server_id, f"the server has {len(instances)} instances ({where})")
        elif live[server_id]["cluster"] != instances[0]["cluster"]:
            yield Finding(1, "wrong_cluster", server_id, f"the instance is on {where}, the server says {live[server_id]['cluster']}")
    for server in live.values():
        if server["vm_state"] in ("active", "stopped", "resized") and server["id"] not in by_server and server["cluster"] not in silent:
            yield Finding(1, "server_without_instance", server["id"], f"a server in {server['vm_state']} has no instance on {server['cluster']}")


def _jobs(facts: Facts) -> Iterator[Finding]:
    for token, count in (facts.get("dispatcher", {}).get("effective_jobs") or {}).items():
        if count > 1:
            yield Finding(2, "job_twice", token, f"{count} jobs in Ganeti carry this token and had an effect")


def _transitions(facts: Facts) -> Iterator[Finding]:
    sagas = {s["id"] for service in facts.values() for s in service.get("work", {}).get("sagas", ())}
    jobs = set(facts.get("dispatcher", {}).get("live_jobs") or ())
    for server in _rows(facts, "compute", "servers"):
        if server["task_state"] is None and server["vm_state"] != "building":
            continue
        is_driven = server["saga_id"] in sagas or server["job_token"] in jobs
        if not is_driven and server["age_s"] > 1.0:
            yield Finding(3, "server_stuck", server["id"], f"in {server['vm_state']}/{server['task_state']} with neither saga nor job")
        elif server["age_s"] > 3600:
            yield Finding(3, "server_slow", server["id"], f"in {server['vm_state']}/{server['task_state']} for an hour")
    for service, key, quiet in (("volume", "volumes", _QUIET_VOLUME), ("volume", "snapshots", _QUIET_VOLUME), ("image", "images", _QUIET_IMAGE)):
        for row in _rows(facts, service, key):
            if row["status"] not in quiet and row["age_s"] > STUCK_S:
                yield Finding(3, f"{key[:-1]}_stuck", row["id"], f"in {row['status']} for {row['age_s']:.0f} s")
    for name, said in facts.items():
        work = said.get("work", {})
        if work.get("undo_failed"):
            yield Finding(3, "undo_failed", name, f"{work['undo_failed']} sagas could not be undone")
        for saga in work.get("sagas", ()):
            if saga["state"] != "waiting" and saga["age_s"] > STUCK_S:
                yield Finding(3, "saga_stuck", saga["id"], f"{saga['name']} of {name} at step {saga['step']} for {saga['age_s']:.0f} s")


def _quota(facts: Facts) -> Iterator[Finding]:
    if "identity" not in facts:
        return
    counted: Counter[tuple[str, str]] = Counter()
    prefixes = set()
    for service, known in facts.items():
        if "usage" in known:
            prefixes.add(f"{service}.")
            for project, amounts in known["usage"].items():
                for resource, amount in amounts.items():
                    counted[project, resource] += amount
    used: Counter[tuple[str, str]] = Counter()
    pending: Counter[tuple[str, str]] = Counter()
    for row in _rows(facts, "identity", "holdings"):
        used[row["project_id"], row["resource"]] += row["used"]
        pending[row["project_id"], row["resource"]] += row["pending"]
    for key in sorted(set(counted) | set(used)):
        if not key[1].startswith(tuple(prefixes)):
            continue
        have, booked, reserved = counted[key], used[key], pending[key]
        if not booked <= have <= booked + reserved:
            text = f"{key[1]}: {have} exist, the ledger has {booked} used and {reserved} reserved"
            yield Finding(4, "quota_differs", key[0], text)
    for commission in _rows(facts, "identity", "commissions"):
        if commission["age_s"] > COMMISSION_S:
            yield Finding(4, "commission_pending", commission["id"], f"of {commission['issuer']}, pending for {commission['age_s']:.0f} s")


def _addresses(facts: Facts) -> Iterator[Finding]:
    ports = _rows(facts, "network", "ports")
    macs = Counter(port["mac_address"] for port in ports)
    for mac, count in macs.items():
        if count > 1:
            yield Finding(5, "mac_twice", mac, f"{count} ports have it")
    addresses = Counter((a["subnet_id"], a["ip_address"]) for port in ports for a in port["fixed_ips"])
    for (subnet, address), count in addresses.items():
        if count > 1:
            yield Finding(5, "address_twice", address, f"{count} ports have it in subnet {subnet}")
    known = set(addresses)
    for row in _rows(facts, "network", "allocations"):
        if (row["subnet_id"], row["ip_address"]) not in known:
            yield Finding(5, "address_leaked", row["ip_address"], f"allocated in subnet {row['subnet_id']}, but no port has it")
    if "compute" not in facts:
        return
    live = {s["id"] for s in _rows(facts, "compute", "servers")}
    for port in ports:
        if port["device_owner"].startswith("compute:") and port["device_id"] and port["device_id"] not in live:
            yield Finding(5, "port_without_server", port["id"], f"bound to server {port['device_id']}, which does not exist")


def _storage(facts: Facts) -> Iterator[Finding]:
    said = facts.get("volume", {})
    if "stored_volumes" not in said:
        return
    stored = set(said["stored_volumes"])
    for row in _rows(facts, "volume", "volumes"):
        if row["status"] in ("available", "in-use", "reserved") and row["id"] not in stored:
            yield Finding(6, "volume_without_map", row["id"], f"a volume that is {row['status']} has no map in the store")
    for job in said.get("storage_jobs") or ():
        if job["findings"]:
            yield Finding(6, "store_damaged", job["kind"], f"the last {job['kind']} found {job['findings']} damaged or missing objects")
        elif job["state"] == "failed" and job["kind"] != "freeze":  # it comes again within minutes
            yield Finding(6, "storage_job_failed", job["kind"], f"the last {job['kind']} failed: {job['error']}")
        elif job["overdue_s"] > 0:
            yield Finding(6, "storage_job_overdue", job["kind"], f"{job['kind']} is {job['overdue_s']:.0f} s late")


def check_fsck(job: dict[str, Any]) -> list[Finding]:
    """The findings of an fsck job: blocks that volumes, images and objects lack, and what nobody has needed for too long.

    What nobody needs is condemned by one collection and gone with the second: it may be there for that long.
    """
    if job["state"] != "done":
        return [Finding(6, "storage_job_failed", "fsck", f"fsck failed: {job['error']}")]
    result = job["result"]
    found = [Finding(6, "object_missing", name, "it is referred to and not there") for name in result["missing"]]
    found += [Finding(6, "object_unreadable", row["what"], row["why"]) for row in result["unreadable"]]
    found += [Finding(6, "data_hurt", row["id"], f"of {row['owner']}: {row['object']} {row['why']}") for row in result["hurt"]]
    return sorted(found)


def _attachments(facts: Facts) -> Iterator[Finding]:
    if "compute" not in facts or "volume" not in facts:
        return
    in_volume = {(a["server_id"], a["volume_id"]) for a in _rows(facts, "volume", "attachments")}
    in_compute = {(server, volume) for server, volumes in (facts["compute"].get("volumes") or {}).items() for volume in volumes}
    for server, volume in sorted(in_volume - in_compute):
        yield Finding(7, "attachment_unknown_to_compute", volume, f"volume says it is attached to {server}")
    for server, volume in sorted(in_compute - in_volume):
        yield Finding(7, "attachment_unknown_to_volume", volume, f"compute says it is attached to {server}")
    if "dispatcher" not in facts:
        return
    instances = {i["server_id"]: set(i["disks"]) for i in _rows(facts, "dispatcher", "instances")}
    for server, volume in sorted(in_compute & in_volume):
        if server in instances and f"snf-vol-{volume}" not in instances[server]:
            yield Finding(7, "attachment_unknown_to_ganeti", volume, f"the instance of {server} has no such disk")
    for server, disks in instances.items():
        for disk in sorted(disks):
            if disk and disk.startswith("snf-vol-") and (server, disk.removeprefix("snf-vol-")) not in in_volume:
                yield Finding(7, "disk_without_attachment", disk, f"the instance of {server} has a disk that volume does not know of")


def _messages(facts: Facts) -> Iterator[Finding]:
    for name, service in facts.items():
        work = service.get("work", {})
        if work.get("outbox_age_s", 0) > OUTBOX_S:
            yield Finding(8, "outbox_old", name, f"{work['outbox']} events wait, the oldest for {work['outbox_age_s']:.0f} s")
        if work.get("dead_letters"):
            yield Finding(8, "dead_letters", name, f"{work['dead_letters']} messages could not be handled")


def settled(first: list[Finding], later: list[Finding]) -> list[Finding]:
    """What was found both times."""
    return sorted(set(first) & set(later))
