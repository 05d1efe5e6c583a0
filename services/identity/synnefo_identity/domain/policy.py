"""Who may do what: the default rules, by Keystone's names. Overridden by an operator's policy."""

from __future__ import annotations

from synnefo_common.policy import RuleDefault

_ADMIN = "role:admin"
_LOOK = "role:admin or (role:reader and system_scope:all)"
_ANY = "@"


def _reader(key: str) -> str:
    return f"(role:reader and domain_id:%({key})s)"


def _manager(key: str) -> str:
    return f"(role:manager and domain_id:%({key})s)"


_SELF = "user_id:%(target.user.id)s"
_GRANT_PROJECT = "domain_id:%(target.project.domain_id)s"
_GRANT_DOMAIN = "domain_id:%(target.domain.id)s"
_GRANT_ACTOR = "(domain_id:%(target.user.domain_id)s or domain_id:%(target.group.domain_id)s)"
_GRANTABLE = "('manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s)"
_GRANT_PLACE = f"({_GRANT_PROJECT} or {_GRANT_DOMAIN})"
_GRANT_READ = f"{_LOOK} or (role:reader and {_GRANT_ACTOR} and {_GRANT_PLACE})"
_GRANT_WRITE = f"{_ADMIN} or (role:manager and {_GRANT_ACTOR} and {_GRANT_PLACE} and {_GRANTABLE})"

_TOKEN = "role:admin or (role:reader and system_scope:all) or role:service or user_id:%(target.token.user_id)s"


def _rules(*rows: tuple[str, str, str, str, str]) -> list[RuleDefault]:
    return [RuleDefault(f"identity:{name}", check, text, [(method, path)]) for name, check, text, method, path in rows]


RULES: list[RuleDefault] = _rules(
    ("validate_token", _TOKEN, "Read what a token says.", "GET", "/v3/auth/tokens"),
    ("check_token", _TOKEN, "See whether a token is good.", "HEAD", "/v3/auth/tokens"),
    (
        "revoke_token",
        "role:admin or role:service or user_id:%(target.token.user_id)s",
        "Void a token.",
        "DELETE",
        "/v3/auth/tokens",
    ),
    ("get_auth_catalog", _ANY, "See one's catalogue.", "GET", "/v3/auth/catalog"),
    ("get_auth_projects", _ANY, "See the projects one may scope to.", "GET", "/v3/auth/projects"),
    ("get_auth_domains", _ANY, "See the domains one may scope to.", "GET", "/v3/auth/domains"),
    ("get_auth_system", _ANY, "See whether one may scope to the system.", "GET", "/v3/auth/system"),
    # users
    ("list_users", f"{_LOOK} or {_reader('target.domain_id')}", "List users.", "GET", "/v3/users"),
    (
        "get_user",
        f"{_LOOK} or {_reader('target.user.domain_id')} or {_SELF}",
        "Show a user.",
        "GET",
        "/v3/users/{user_id}",
    ),
    ("create_user", f"{_ADMIN} or {_manager('target.user.domain_id')}", "Create a user.", "POST", "/v3/users"),
    (
        "update_user",
        f"{_ADMIN} or {_manager('target.user.domain_id')}",
        "Change a user.",
        "PATCH",
        "/v3/users/{user_id}",
    ),
    (
        "delete_user",
        f"{_ADMIN} or {_manager('target.user.domain_id')}",
        "Delete a user.",
        "DELETE",
        "/v3/users/{user_id}",
    ),
    (
        "list_user_projects",
        f"{_LOOK} or {_reader('target.user.domain_id')} or {_SELF}",
        "List a user's projects.",
        "GET",
        "/v3/users/{user_id}/projects",
    ),
    (
        "list_groups_for_user",
        f"{_LOOK} or {_reader('target.user.domain_id')} or {_SELF}",
        "List a user's groups.",
        "GET",
        "/v3/users/{user_id}/groups",
    ),
    # groups
    ("list_groups", f"{_LOOK} or {_reader('target.domain_id')}", "List groups.", "GET", "/v3/groups"),
    ("get_group", f"{_LOOK} or {_reader('target.group.domain_id')}", "Show a group.", "GET", "/v3/groups/{group_id}"),
    ("create_group", f"{_ADMIN} or {_manager('target.group.domain_id')}", "Create a group.", "POST", "/v3/groups"),
    (
        "update_group",
        f"{_ADMIN} or {_manager('target.group.domain_id')}",
        "Change a group.",
        "PATCH",
        "/v3/groups/{group_id}",
    ),
    (
        "delete_group",
        f"{_ADMIN} or {_manager('target.group.domain_id')}",
        "Delete a group.",
        "DELETE",
        "/v3/groups/{group_id}",
    ),
    (
        "list_users_in_group",
        f"{_LOOK} or {_reader('target.group.domain_id')}",
        "List members.",
        "GET",
        "/v3/groups/{group_id}/users",
    ),
    (
        "check_user_in_group",
        f"{_LOOK} or (role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)",
        "See whether a user is a member.",
        "HEAD",
        "/v3/groups/{group_id}/users/{user_id}",
    ),
    (
        "add_user_to_group",
        f"{_ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)",
        "Add a member.",
        "PUT",
        "/v3/groups/{group_id}/users/{user_id}",
    ),
    (
        "remove_user_from_group",
        f"{_ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)",
        "Remove a member.",
        "DELETE",
        "/v3/groups/{group_id}/users/{user_id}",
    ),
    # projects and domains
    ("list_projects", f"{_LOOK} or {_reader('target.domain_id')}", "List projects.", "GET", "/v3/projects"),
    (
        "get_project",
        f"{_LOOK} or {_reader('target.project.domain_id')} or project_id:%(target.project.id)s",
        "Show a project.",
        "GET",
        "/v3/projects/{project_id}",
    ),
    (
        "create_project",
        f"{_ADMIN} or {_manager('target.project.domain_id')}",
        "Create a project.",
        "POST",
        "/v3/projects",
    ),
    (
        "update_project",
        f"{_ADMIN} or {_manager('target.project.domain_id')}",
        "Change a project.",
        "PATCH",
        "/v3/projects/{project_id}",
    ),
    (
        "delete_project",
        f"{_ADMIN} or {_manager('target.project.domain_id')}",
        "Delete a project.",
        "DELETE",
        "/v3/projects/{project_id}",
    ),
    (
        "list_project_tags",
        f"{_LOOK} or {_reader('target.project.domain_id')} or project_id:%(target.project.id)s",
        "Show tags.",
        "GET",
        "/v3/projects/{project_id}/tags",
    ),
    (
        "update_project_tags",
        f"{_ADMIN} or {_manager('target.project.domain_id')}",
        "Change tags.",
        "PUT",
        "/v3/projects/{project_id}/tags",
    ),
    ("list_domains", f"{_LOOK} or {_reader('target.domain.id')}", "List domains.", "GET", "/v3/domains"),
    (
        "get_domain",
        f"{_LOOK} or domain_id:%(target.domain.id)s or project_domain_id:%(target.domain.id)s",
        "Show a domain.",
        "GET",
        "/v3/domains/{domain_id}",
    ),
    ("create_domain", _ADMIN, "Create a domain.", "POST", "/v3/domains"),
    ("update_domain", _ADMIN, "Change a domain.", "PATCH", "/v3/domains/{domain_id}"),
    ("delete_domain", _ADMIN, "Delete a domain.", "DELETE", "/v3/domains/{domain_id}"),
    # roles
    ("list_roles", f"{_LOOK} or (role:manager and not domain_id:None)", "List roles.", "GET", "/v3/roles"),
    ("list_domain_roles", _LOOK, "List the roles of one domain.", "GET", "/v3/roles?domain_id={domain_id}"),
    ("get_role", f"{_LOOK} or (role:manager and not domain_id:None and {_GRANTABLE})", "Show a role.", "GET", "/v3/roles/{role_id}"),
    ("get_domain_role", _LOOK, "Show a role of one domain.", "GET", "/v3/roles/{role_id}"),
    ("create_role", _ADMIN, "Create a role.", "POST", "/v3/roles"),
    ("update_role", _ADMIN, "Change a role.", "PATCH", "/v3/roles/{role_id}"),
    ("delete_role", _ADMIN, "Delete a role.", "DELETE", "/v3/roles/{role_id}"),
    ("list_implied_roles", _LOOK, "List what a role implies.", "GET", "/v3/roles/{prior_role_id}/implies"),
    ("get_implied_role", _LOOK, "Show an implication.", "GET", "/v3/roles/{prior_role_id}/implies/{implied_role_id}"),
    (
        "create_implied_role",
        _ADMIN,
        "Let a role imply another.",
        "PUT",
        "/v3/roles/{prior_role_id}/implies/{implied_role_id}",
    ),
    (
        "delete_implied_role",
        _ADMIN,
        "Take an implication away.",
        "DELETE",
        "/v3/roles/{prior_role_id}/implies/{implied_role_id}",
    ),
    ("list_role_inference_rules", _LOOK, "List all implications.", "GET", "/v3/role_inferences"),
    # assignments
    ("list_grants", _GRANT_READ, "List roles of an actor.", "GET", "/v3/projects/{project_id}/users/{user_id}/roles"),
    (
        "check_grant",
        _GRANT_READ,
        "See whether an actor has a role.",
        "HEAD",
        "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
    ),
    ("create_grant", _GRANT_WRITE, "Give a role.", "PUT", "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}"),
    (
        "revoke_grant",
        _GRANT_WRITE,
        "Take a role away.",
        "DELETE",
        "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}",
    ),
    ("list_system_grants", _LOOK, "List an actor's roles on the system.", "GET", "/v3/system/users/{user_id}/roles"),
    (
        "check_system_grant",
        _LOOK,
        "See whether an actor has a role on the system.",
        "HEAD",
        "/v3/system/users/{user_id}/roles/{role_id}",
    ),
    ("create_system_grant", _ADMIN, "Give a role on the system.", "PUT", "/v3/system/users/{user_id}/roles/{role_id}"),
    (
        "revoke_system_grant",
        _ADMIN,
        "Take a role on the system away.",
        "DELETE",
        "/v3/system/users/{user_id}/roles/{role_id}",
    ),
    (
        "list_role_assignments",
        f"{_LOOK} or {_reader('target.domain_id')}",
        "List assignments.",
        "GET",
        "/v3/role_assignments",
    ),
    # catalogue
    ("list_services", _LOOK, "List services.", "GET", "/v3/services"),
    ("get_service", _LOOK, "Show a service.", "GET", "/v3/services/{service_id}"),
    ("create_service", _ADMIN, "Create a service.", "POST", "/v3/services"),
    ("update_service", _ADMIN, "Change a service.", "PATCH", "/v3/services/{service_id}"),
    ("delete_service", _ADMIN, "Delete a service.", "DELETE", "/v3/services/{service_id}"),
    ("list_endpoints", _LOOK, "List endpoints.", "GET", "/v3/endpoints"),
    ("get_endpoint", _LOOK, "Show an endpoint.", "GET", "/v3/endpoints/{endpoint_id}"),
    ("create_endpoint", _ADMIN, "Create an endpoint.", "POST", "/v3/endpoints"),
    ("update_endpoint", _ADMIN, "Change an endpoint.", "PATCH", "/v3/endpoints/{endpoint_id}"),
    ("delete_endpoint", _ADMIN, "Delete an endpoint.", "DELETE", "/v3/endpoints/{endpoint_id}"),
    ("list_regions", _ANY, "List regions.", "GET", "/v3/regions"),
    ("get_region", _ANY, "Show a region.", "GET", "/v3/regions/{region_id}"),
    ("create_region", _ADMIN, "Create a region.", "POST", "/v3/regions"),
    ("update_region", _ADMIN, "Change a region.", "PATCH", "/v3/regions/{region_id}"),
    ("delete_region", _ADMIN, "Delete a region.", "DELETE", "/v3/regions/{region_id}"),
    # limits
    ("get_limit_model", _ANY, "Show the model of enforcement.", "GET", "/v3/limits/model"),
    ("list_limits", _ANY, "List limits; without more rights, one's own project's.", "GET", "/v3/limits"),
    (
        "get_limit",
        f"{_LOOK} or project_id:%(target.limit.project_id)s or domain_id:%(target.limit.domain_id)s or domain_id:%(target.limit.project.domain_id)s",
        "Show a limit.",
        "GET",
        "/v3/limits/{limit_id}",
    ),
    ("create_limits", _ADMIN, "Set limits.", "POST", "/v3/limits"),
    ("update_limit", _ADMIN, "Change a limit.", "PATCH", "/v3/limits/{limit_id}"),
    ("delete_limit", _ADMIN, "Go back to the default.", "DELETE", "/v3/limits/{limit_id}"),
    ("list_registered_limits", _ANY, "List default limits.", "GET", "/v3/registered_limits"),
    ("get_registered_limit", _ANY, "Show a default limit.", "GET", "/v3/registered_limits/{registered_limit_id}"),
    ("create_registered_limits", _ADMIN, "Set default limits.", "POST", "/v3/registered_limits"),
    (
        "update_registered_limit",
        _ADMIN,
        "Change a default limit.",
        "PATCH",
        "/v3/registered_limits/{registered_limit_id}",
    ),
    (
        "delete_registered_limit",
        _ADMIN,
        "Delete a default limit.",
        "DELETE",
        "/v3/registered_limits/{registered_limit_id}",
    ),
    # credentials
    (
        "list_application_credentials",
        f"{_LOOK} or {_SELF}",
        "List application credentials.",
        "GET",
        "/v3/users/{user_id}/application_credentials",
    ),
    (
        "get_application_credential",
        f"{_LOOK} or {_SELF}",
        "Show one.",
        "GET",
        "/v3/users/{user_id}/application_credentials/{application_credential_id}",
    ),
    ("create_application_credential", _SELF, "Create one.", "POST", "/v3/users/{user_id}/application_credentials"),
    (
        "delete_application_credential",
        f"{_ADMIN} or {_SELF}",
        "Delete one.",
        "DELETE",
        "/v3/users/{user_id}/application_credentials/{application_credential_id}",
    ),
    (
        "list_credentials",
        f"{_LOOK} or user_id:%(target.credential.user_id)s",
        "List credentials.",
        "GET",
        "/v3/credentials",
    ),
    (
        "get_credential",
        f"{_LOOK} or user_id:%(target.credential.user_id)s",
        "Show one.",
        "GET",
        "/v3/credentials/{credential_id}",
    ),
    (
        "create_credential",
        f"{_ADMIN} or user_id:%(target.credential.user_id)s",
        "Create one.",
        "POST",
        "/v3/credentials",
    ),
    (
        "update_credential",
        f"{_ADMIN} or user_id:%(target.credential.user_id)s",
        "Change one.",
        "PATCH",
        "/v3/credentials/{credential_id}",
    ),
    (
        "delete_credential",
        f"{_ADMIN} or user_id:%(target.credential.user_id)s",
        "Delete one.",
        "DELETE",
        "/v3/credentials/{credential_id}",
    ),
    (
        "ec2_list_credentials",
        f"{_LOOK} or {_SELF}",
        "List ec2 keys.",
        "GET",
        "/v3/users/{user_id}/credentials/OS-EC2",
    ),
    (
        "ec2_get_credential",
        f"{_LOOK} or user_id:%(target.credential.user_id)s",
        "Show ec2 keys.",
        "GET",
        "/v3/users/{user_id}/credentials/OS-EC2/{access_key}",
    ),
    (
        "ec2_create_credential",
        f"{_ADMIN} or user_id:%(target.credential.user_id)s",
        "Make ec2 keys.",
        "POST",
        "/v3/users/{user_id}/credentials/OS-EC2",
    ),
    (
        "ec2_delete_credential",
        f"{_ADMIN} or user_id:%(target.credential.user_id)s",
        "Delete ec2 keys.",
        "DELETE",
        "/v3/users/{user_id}/credentials/OS-EC2/{access_key}",
    ),
    ("ec2tokens_validate", f"{_ADMIN} or role:service", "Turn a signed request into a token.", "POST", "/v3/ec2tokens"),
    ("s3tokens_validate", f"{_ADMIN} or role:service", "Turn a signed string into what a token says.", "POST", "/v3/s3tokens"),
)
