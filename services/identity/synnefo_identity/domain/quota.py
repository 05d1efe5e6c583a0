"""What the quota ledger counts, and who holds it."""

from __future__ import annotations

from collections.abc import Mapping

UNLIMITED = -1
ANYONE = "*"
MAX_LIMIT = 2**63 - 1
MAX_QUANTITY = 2**53

DEFAULTS: Mapping[str, int] = {
    "compute.instances": 10,
    "compute.cores": 20,
    "compute.ram_mib": 51200,
    "compute.cores_running": -1,
    "compute.ram_mib_running": -1,
    "compute.key_pairs": 100,
    "compute.server_groups": 10,
    "volume.volumes": 10,
    "volume.snapshots": 10,
    "volume.gigabytes": 1000,
    "volume.backups": 10,
    "volume.backup_gigabytes": 1000,
    "network.networks": 100,
    "network.subnets": 100,
    "network.ports": 500,
    "network.routers": 10,
    "network.floating_ips": 50,
    "network.security_groups": 10,
    "network.security_group_rules": 100,
    "network.subnet_pools": -1,
    "network.rbac_policies": 10,
    "object.bytes": -1,
    "image.bytes": -1,
    "identity.pending_applications": -1,
}

# Held by a user wherever he works, not by a project: the holding's project is `*`.
PER_USER = frozenset({"compute.key_pairs"})

# Service type in the catalogue → first part of a resource's name.
PREFIXES: Mapping[str, str] = {
    "compute": "compute",
    "network": "network",
    "block-storage": "volume",
    "image": "image",
    "object-store": "object",
    "identity": "identity",
}


def holder(resource: str, *, project_id: str, user_id: str) -> tuple[str, str]:
    """(project, user) of the holding that counts the resource."""
    return (ANYONE, user_id) if resource in PER_USER else (project_id, ANYONE)


def resource_of(service_type: str, name: str, *, region_id: str | None, home: str) -> str:
    """The ledger's name for a registered limit. Limits of another region are kept but count nothing here."""
    resource = f"{PREFIXES.get(service_type, service_type)}.{name}"
    return resource if region_id in (None, home) else f"{resource}@{region_id}"
