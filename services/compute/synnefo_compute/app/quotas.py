"""Nova's quotas and limits: a dialect of the ledger. What Nova once counted and we do not is shown as Nova's own constants."""

from __future__ import annotations

from typing import Any

from synnefo_common.quota import Holding
from synnefo_compute.app.core import Compute

LEDGER = {
    "instances": "compute.instances", "cores": "compute.cores", "ram": "compute.ram_mib", "key_pairs": "compute.key_pairs",
    "server_groups": "compute.server_groups",
}  # fmt: skip
CONSTANTS = {
    "metadata_items": 128, "injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255,
    "fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1,
}  # fmt: skip


def _constants(compute: Compute) -> dict[str, int]:
    settings = compute.settings
    return CONSTANTS | {"metadata_items": settings.metadata_items, "server_group_members": settings.server_group_members}


async def holdings(compute: Compute, project_id: str) -> dict[str, Holding]:
    """Nova's names → what the ledger has. Keypairs are counted per user: their use is not the project's."""
    found = await compute.quota.holdings(project_id, prefix="compute.")
    empty = Holding(limit=-1, used=0, reserved=0)
    shown = {name: found.get(resource, empty) for name, resource in LEDGER.items()}
    shown["key_pairs"] = Holding(limit=shown["key_pairs"].limit, used=0, reserved=0)
    return shown


async def quota_set(compute: Compute, project_id: str) -> dict[str, int]:
    """The limits."""
    limits = {name: holding.limit for name, holding in (await holdings(compute, project_id)).items()}
    return limits | _constants(compute)


async def defaults(compute: Compute) -> dict[str, int]:
    """What a project has unless something else is set."""
    limits = await compute.quota.default_limits()
    shown = {name: limits.get(resource, -1) for name, resource in LEDGER.items()}
    return {**_constants(compute), **shown}


async def quota_detail(compute: Compute, project_id: str) -> dict[str, dict[str, int]]:
    """Limit, use and reservations of each."""
    shown = {name: {"limit": value, "in_use": 0, "reserved": 0} for name, value in _constants(compute).items()}
    for name, holding in (await holdings(compute, project_id)).items():
        shown[name] = {"limit": holding.limit, "in_use": holding.used, "reserved": holding.reserved}
    return shown


async def limits(compute: Compute, project_id: str) -> dict[str, Any]:
    """GET /limits."""
    found = await holdings(compute, project_id)
    return {
        "rate": [],
        "absolute": {
            "maxTotalInstances": found["instances"].limit, "maxTotalCores": found["cores"].limit, "maxTotalRAMSize": found["ram"].limit,
            "maxTotalKeypairs": found["key_pairs"].limit, "maxServerGroups": found["server_groups"].limit,
            "maxServerGroupMembers": compute.settings.server_group_members, "maxServerMeta": compute.settings.metadata_items,
            "maxImageMeta": compute.settings.metadata_items, "maxPersonality": CONSTANTS["injected_files"],
            "maxPersonalitySize": CONSTANTS["injected_file_content_bytes"], "maxSecurityGroups": -1, "maxSecurityGroupRules": -1,
            "maxTotalFloatingIps": -1, "totalInstancesUsed": found["instances"].used + found["instances"].reserved,
            "totalCoresUsed": found["cores"].used + found["cores"].reserved, "totalRAMUsed": found["ram"].used + found["ram"].reserved,
            "totalServerGroupsUsed": found["server_groups"].used, "totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0,
        },
    }  # fmt: skip
