"""Who may do what in compute: defaults by Nova's names, with the calls that ask them."""

from __future__ import annotations

from synnefo_common.policy import RuleDefault

_READ, _WRITE, _ADMIN = "rule:project_reader", "rule:project_member", "rule:admin"


def _rule(name: str, check: str, text: str, *operations: tuple[str, str]) -> RuleDefault:
    return RuleDefault(f"os_compute_api:{name}", check, text, list(operations))


RULES = [
    _rule("servers:index", "rule:reader", "List servers of one's project.", ("GET", "/servers")),
    _rule("servers:detail", "rule:reader", "List servers with details.", ("GET", "/servers/detail")),
    _rule("servers:index:get_all_tenants", _ADMIN, "List servers of all projects.", ("GET", "/servers?all_tenants")),
    _rule("servers:show", _READ, "Show a server.", ("GET", "/servers/{server_id}")),
    _rule("servers:create", "rule:member", "Create servers.", ("POST", "/servers")),
    _rule("servers:create:forced_host", _ADMIN, "Name the cluster of a new server.", ("POST", "/servers")),
    _rule("servers:update", _WRITE, "Change a server's name and addresses.", ("PUT", "/servers/{server_id}")),
    _rule("servers:delete", _WRITE, "Delete a server.", ("DELETE", "/servers/{server_id}")),
    _rule("os-deferred-delete:force", _WRITE, "Delete a server at once.", ("POST", "/servers/{server_id}/action (forceDelete)")),
    _rule("servers:start", _WRITE, "Start a server.", ("POST", "/servers/{server_id}/action (os-start)")),
    _rule("servers:stop", _WRITE, "Stop a server.", ("POST", "/servers/{server_id}/action (os-stop)")),
    _rule("servers:reboot", _WRITE, "Reboot a server.", ("POST", "/servers/{server_id}/action (reboot)")),
    _rule("servers:resize", _WRITE, "Resize a server.", ("POST", "/servers/{server_id}/action (resize)")),
    _rule("servers:confirm_resize", _WRITE, "Confirm a resize.", ("POST", "/servers/{server_id}/action (confirmResize)")),
    _rule("servers:revert_resize", _WRITE, "Revert a resize.", ("POST", "/servers/{server_id}/action (revertResize)")),
    _rule("servers:create_image", _WRITE, "Make an image of a server.", ("POST", "/servers/{server_id}/action (createImage)")),
    _rule("os-admin-actions:reset_state", _ADMIN, "Set a server's state.", ("POST", "/servers/{server_id}/action (os-resetState)")),
    _rule("os-lock-server:lock", _WRITE, "Lock a server.", ("POST", "/servers/{server_id}/action (lock)")),
    _rule("os-lock-server:unlock", _WRITE, "Unlock a server.", ("POST", "/servers/{server_id}/action (unlock)")),
    _rule(
        "os-lock-server:unlock:unlock_override", _ADMIN, "Unlock a server that somebody else locked.",
        ("POST", "/servers/{server_id}/action (unlock)"),
    ),
    _rule(
        "os-security-groups:add", _WRITE, "Put a server's ports into a security group.",
        ("POST", "/servers/{server_id}/action (addSecurityGroup)"),
    ),
    _rule(
        "os-security-groups:remove", _WRITE, "Take a server's ports out of a security group.",
        ("POST", "/servers/{server_id}/action (removeSecurityGroup)"),
    ),
    _rule("os-console-output", _WRITE, "Read the console log.", ("POST", "/servers/{server_id}/action (os-getConsoleOutput)")),
    _rule("os-extended-server-attributes", _ADMIN, "See where a server runs.", ("GET", "/servers/{server_id}")),
    _rule("server-metadata:index", _READ, "List a server's metadata.", ("GET", "/servers/{server_id}/metadata")),
    _rule("server-metadata:update", _WRITE, "Change a server's metadata.", ("PUT", "/servers/{server_id}/metadata")),
    _rule("os-server-password:show", _READ, "Read the password that a guest told.", ("GET", "/servers/{server_id}/os-server-password")),
    _rule("os-server-password:clear", _WRITE, "Forget the password that a guest told.", ("DELETE", "/servers/{server_id}/os-server-password")),
    _rule("ips:index", _READ, "List a server's addresses.", ("GET", "/servers/{server_id}/ips")),
    _rule("os-volumes-attachments:index", _READ, "List attachments.", ("GET", "/servers/{server_id}/os-volume_attachments")),
    _rule("os-volumes-attachments:create", _WRITE, "Attach a volume.", ("POST", "/servers/{server_id}/os-volume_attachments")),
    _rule(
        "os-volumes-attachments:delete", _WRITE, "Detach a volume.", ("DELETE", "/servers/{server_id}/os-volume_attachments/{volume_id}")
    ),
    _rule("os-attach-interfaces:list", _READ, "List interfaces.", ("GET", "/servers/{server_id}/os-interface")),
    _rule("os-attach-interfaces:create", _WRITE, "Attach an interface.", ("POST", "/servers/{server_id}/os-interface")),
    _rule("os-attach-interfaces:delete", _WRITE, "Detach an interface.", ("DELETE", "/servers/{server_id}/os-interface/{port_id}")),
    _rule("os-instance-actions:list", _READ, "List what was done to a server.", ("GET", "/servers/{server_id}/os-instance-actions")),
    _rule("os-instance-actions:events", _READ, "See the steps of an action.", ("GET", "/servers/{server_id}/os-instance-actions/{id}")),
    _rule("os-flavor-manage:create", _ADMIN, "Create a flavor.", ("POST", "/flavors")),
    _rule("os-flavor-manage:delete", _ADMIN, "Delete a flavor.", ("DELETE", "/flavors/{flavor_id}")),
    _rule("os-flavor-access", _ADMIN, "See and set who may use a flavor.", ("GET", "/flavors/{flavor_id}/os-flavor-access")),
    _rule("os-flavor-extra-specs:index", "rule:reader", "Read extra specs.", ("GET", "/flavors/{flavor_id}/os-extra_specs")),
    _rule("os-flavor-extra-specs:update", _ADMIN, "Set extra specs.", ("POST", "/flavors/{flavor_id}/os-extra_specs")),
    _rule("os-keypairs", "rule:reader", "Use one's own keypairs.", ("GET", "/os-keypairs")),
    _rule("os-keypairs:admin", _ADMIN, "Use others' keypairs.", ("GET", "/os-keypairs?user_id=")),
    _rule("os-quota-sets:show", "rule:admin or project_id:%(project_id)s", "Read quotas.", ("GET", "/os-quota-sets/{project_id}")),
    _rule("os-quota-sets:update", _ADMIN, "Set quotas.", ("PUT", "/os-quota-sets/{project_id}")),
    _rule("os-quota-class-sets:show", _ADMIN, "Read the default quotas.", ("GET", "/os-quota-class-sets/{class_name}")),
    _rule("os-quota-class-sets:update", _ADMIN, "Set the default quotas.", ("PUT", "/os-quota-class-sets/{class_name}")),
    _rule("limits", "rule:reader", "Read one's limits.", ("GET", "/limits")),
    _rule("limits:other_project", _ADMIN, "Read others' limits.", ("GET", "/limits?tenant_id=")),
    _rule("os-availability-zone:list", "rule:reader", "List zones.", ("GET", "/os-availability-zone")),
    _rule("os-availability-zone:detail", _ADMIN, "List zones with hosts.", ("GET", "/os-availability-zone/detail")),
    _rule("os-hypervisors", _ADMIN, "See the clusters.", ("GET", "/os-hypervisors")),
    _rule("os-aggregates:index", _ADMIN, "List aggregates (there are none).", ("GET", "/os-aggregates")),
    _rule("os-services", _ADMIN, "See the services.", ("GET", "/os-services")),
    _rule("os-simple-tenant-usage:list", _ADMIN, "Usage of all projects.", ("GET", "/os-simple-tenant-usage")),
    _rule("os-simple-tenant-usage:show", _READ, "Usage of a project.", ("GET", "/os-simple-tenant-usage/{project_id}")),
    _rule("extensions", "rule:reader", "List extensions.", ("GET", "/extensions")),
]
