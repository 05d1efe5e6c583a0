"""Policy defaults of the volume service, by Cinder's names."""

from __future__ import annotations

from synnefo_common.policy import RuleDefault

_READ, _WRITE, _ADMIN = "rule:project_reader", "rule:project_member", "rule:admin"
_V = "/v3/{project_id}/volumes"
_S = "/v3/{project_id}/snapshots"
_T = "/v3/{project_id}/types"
_VA = ("POST", _V + "/{volume_id}/action")
_SA = ("POST", _S + "/{snapshot_id}/action")

POLICIES = [
    RuleDefault("volume:create", _WRITE, "Create a volume", [("POST", _V)]),
    RuleDefault("volume:get", _READ, "Show a volume", [("GET", _V + "/{volume_id}")]),
    RuleDefault("volume:get_all", _READ, "List volumes", [("GET", _V), ("GET", _V + "/detail")]),
    RuleDefault("volume:get_all_tenants", _ADMIN, "List the volumes of all projects", [("GET", _V)]),
    RuleDefault("volume:update", _WRITE, "Change a volume", [("PUT", _V + "/{volume_id}")]),
    RuleDefault("volume:delete", _WRITE, "Delete a volume", [("DELETE", _V + "/{volume_id}")]),
    RuleDefault("volume:get_volume_metadata", _READ, "Read metadata", [("GET", _V + "/{volume_id}/metadata")]),
    RuleDefault("volume:update_volume_metadata", _WRITE, "Change metadata", [("PUT", _V + "/{volume_id}/metadata")]),
    RuleDefault("volume:extend", _WRITE, "Make a volume larger", [_VA]),
    RuleDefault("volume:retype", _WRITE, "Change a volume's type", [_VA]),
    RuleDefault("volume:update_readonly_flag", _WRITE, "Allow or forbid writing", [_VA]),
    RuleDefault("volume_extension:volume_actions", _WRITE, "Attach, detach, reserve", [_VA]),
    RuleDefault("volume_extension:volume_actions:upload_image", _WRITE, "Make an image of a volume", [_VA]),
    RuleDefault("volume_extension:volume_image_metadata:show", _READ, "Read image metadata", [_VA]),
    RuleDefault("volume_extension:volume_image_metadata:set", _WRITE, "Change image metadata", [_VA]),
    RuleDefault("volume_extension:volume_admin_actions", _ADMIN, "Set the status, delete or detach by force", [_VA]),
    RuleDefault("volume_extension:volume_host_attribute", _ADMIN, "See where a volume is", [("GET", _V + "/{volume_id}")]),
    RuleDefault("volume:create_snapshot", _WRITE, "Create a snapshot", [("POST", _S)]),
    RuleDefault("volume:get_snapshot", _READ, "Show a snapshot", [("GET", _S + "/{snapshot_id}")]),
    RuleDefault("volume:get_all_snapshots", _READ, "List snapshots", [("GET", _S), ("GET", _S + "/detail")]),
    RuleDefault("volume:update_snapshot", _WRITE, "Change a snapshot", [("PUT", _S + "/{snapshot_id}")]),
    RuleDefault("volume:delete_snapshot", _WRITE, "Delete a snapshot", [("DELETE", _S + "/{snapshot_id}")]),
    RuleDefault("snapshot_extension:snapshot_actions:update_snapshot_status", _WRITE, "Report a snapshot's status", [_SA]),
    RuleDefault("volume_extension:snapshot_admin_actions", _ADMIN, "Set the status, delete by force", [_SA]),
    RuleDefault("volume_extension:type_get_all", "rule:reader", "List and show types", [("GET", _T)]),
    RuleDefault("volume_extension:types_manage", _ADMIN, "Create, change, delete types", [("POST", _T)]),
    RuleDefault("volume_extension:volume_type_access", _ADMIN, "See and change who may use a type", [("POST", _T)]),
    RuleDefault("volume_extension:types_extra_specs", _ADMIN, "See and change extra specs", [("GET", _T)]),
    RuleDefault(
        "volume_extension:quotas:show",
        _READ,
        "See a project's quotas",
        [("GET", "/v3/{project_id}/os-quota-sets/{id}")],
    ),
    RuleDefault("volume_extension:quotas:update", _ADMIN, "Set quotas", [("PUT", "/v3/{project_id}/os-quota-sets/{id}")]),
    RuleDefault("volume_extension:quota_classes:get", _ADMIN, "See the default quotas", [("GET", "/v3/{project_id}/os-quota-class-sets/{id}")]),
    RuleDefault("volume_extension:quota_classes:update", _ADMIN, "Set the default quotas", [("PUT", "/v3/{project_id}/os-quota-class-sets/{id}")]),
    RuleDefault("limits_extension:used_limits", _READ, "See limits", [("GET", "/v3/{project_id}/limits")]),
    RuleDefault("volume_extension:services:index", _ADMIN, "List services", [("GET", "/v3/{project_id}/os-services")]),
    RuleDefault("scheduler_extension:scheduler_stats:get_pools", _ADMIN, "See the pools", [("GET", "/v3/{project_id}/scheduler-stats/get_pools")]),
    RuleDefault("volume_extension:capabilities", _ADMIN, "See what the back end can", [("GET", "/v3/{project_id}/capabilities/{host}")]),
    RuleDefault(
        "volume_extension:storage_jobs:get",
        _ADMIN,
        "See storage jobs and what is stored",
        [("GET", "/admin/v1/storage/jobs"), ("GET", "/admin/v1/storage/stats"), ("GET", "/admin/v1/storage/pools")],
    ),
    RuleDefault("volume_extension:storage_jobs:create", _ADMIN, "Collect, scrub, check, freeze", [("POST", "/admin/v1/storage/jobs")]),
]
