"""The configuration with which OpenStack's own API tests (tempest) speak to a cloud of ours.

Only what we advertise is switched on; each switch that is off names a feature which clients are refused clearly.
"""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Sections = dict[str, dict[str, Any]]


def tempest_conf(
    *, identity_url: str, admin_password: str, image_id: str, alt_image_id: str, flavor_id: str, alt_flavor_id: str,
    public_network_id: str, extensions: Sequence[str], work: Path,
) -> Sections:  # fmt: skip
    """Sections of tempest.conf; tests make their own projects and users with the administrator's credentials."""
    return {
        "DEFAULT": {"log_dir": work / "log", "debug": False},
        "oslo_concurrency": {"lock_path": work / "lock"},
        "auth": {
            "use_dynamic_credentials": True, "admin_username": "admin", "admin_project_name": "admin", "admin_domain_name": "Default",
            "admin_password": admin_password, "tempest_roles": "member", "create_isolated_networks": False,
        },
        "identity": {"uri_v3": f"{identity_url}/v3", "auth_version": "v3", "region": "RegionOne", "admin_role": "admin"},
        "identity-feature-enabled": {
            "api_v3": True, "application_credentials": True, "access_rules": False, "trust": False, "external_idp": False,
            "security_compliance": True, "immutable_user_source": False, "domain_specific_drivers": False,
            "api_extensions": "OS-INHERIT",
        },
        "service_available": {
            "cinder": True, "neutron": True, "glance": True, "swift": True, "nova": True, "horizon": False,
        },
        "compute": {
            "image_ref": image_id, "image_ref_alt": alt_image_id, "flavor_ref": flavor_id, "flavor_ref_alt": alt_flavor_id,
            "build_interval": 1, "build_timeout": 90, "ready_wait": 0, "min_compute_nodes": 1, "max_microversion": "2.1",
            "fixed_network_name": "tempest",
        },
        "compute-feature-enabled": {
            "resize": True, "pause": False, "shelve": False, "suspend": False, "cold_migration": False, "live_migration": False,
            "rescue": False, "stable_rescue": False, "vnc_console": False, "spice_console": False, "serial_console": False,
            "console_output": False, "snapshot": True, "interface_attach": True, "personality": False, "metadata_service": False,
            "change_password": False, "attach_encrypted_volume": False, "swap_volume": False, "volume_multiattach": False,
            "disk_config": True, "config_drive": False, "enable_instance_password": True,
        },
        "network": {
            "public_network_id": public_network_id, "floating_network_name": "public", "project_network_cidr": "10.100.0.0/16",
            "project_network_mask_bits": 28, "build_interval": 1,
        },
        "network-feature-enabled": {
            "ipv6": True, "ipv6_subnet_attributes": True, "floating_ips": True, "port_security": True,
            "api_extensions": ",".join(extensions),
        },
        "neutron_plugin_options": {"available_type_drivers": "geneve,vxlan,vlan,flat", "provider_vlans": "physnet1", "max_mtu": 8942},
        "image": {"build_interval": 1, "build_timeout": 60, "container_formats": "bare", "disk_formats": "raw,qcow2,iso"},
        "image-feature-enabled": {"api_v2": True, "import_image": True, "image_format_enforcement": False},
        "volume": {
            "build_interval": 1, "build_timeout": 60, "max_microversion": "3.0", "storage_protocol": "archipelago", "vendor_name": "Synnefo",
            "disk_format": "raw", "volume_size": 1,
        },
        "volume-feature-enabled": {
            "backup": False, "snapshot": True, "clone": True, "multi_backend": False, "manage_snapshot": False, "manage_volume": False,
            "consistency_group": False, "api_extensions": "os-quota-sets", "extend_attached_volume": False, "extend_attached_encrypted_volume": False,
        },
        "object-storage": {"operator_role": "member", "reseller_admin_role": "ResellerAdmin", "region": "RegionOne"},
        "object-storage-feature-enabled": {
            "discoverability": True, "container_sync": False, "object_versioning": True,
            "discoverable_apis": "account_quotas,bulk_delete,bulk_upload,container_quotas,dlo,formpost,slo,staticweb,symlink,tempurl",
        },
        "validation": {"run_validation": False},
    }  # fmt: skip


def write(sections: Sections, path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    for name, values in sections.items():
        parser[name] = {key: str(value) for key, value in values.items()}
    with path.open("w") as out:
        parser.write(out)
