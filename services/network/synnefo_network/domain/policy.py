"""Who may do what: the service's policy rules, as Neutron's secure defaults have them.

A rule `<action>_<resource>:<attribute>` is asked when the attribute is set (create, update) or shown (get).
"""

from synnefo_common.policy import RuleDefault

_ADMIN = "rule:admin"
_ADMIN_OR_SERVICE = "rule:admin or rule:service"
_READ = "rule:admin or rule:service or (rule:reader and rule:owner)"
_WRITE = "rule:admin or rule:service or (rule:member and rule:owner)"
_MANAGE = "rule:admin or (rule:manager and rule:owner)"
_NET_READ = "rule:reader and rule:network_owner"
_NET_WRITE = "rule:member and rule:network_owner"
_READ_SHARED = f"{_READ} or True:%(shared)s"
_SHARED = "True:%(network_shared)s"
_DIRECT = "True:%(network_direct)s"
_EXTERNAL = "True:%(network_external)s"


def _crud(resource: str, path: str, *, create: str = _WRITE, get: str = _READ, update: str = _WRITE, delete: str = _WRITE) -> list[RuleDefault]:
    one = f"{path}/{{id}}"
    words = resource.replace("_", " ")
    return [
        RuleDefault(f"create_{resource}", create, f"Create a {words}.", [("POST", path)]),
        RuleDefault(f"get_{resource}", get, f"See a {words}.", [("GET", path), ("GET", one)]),
        RuleDefault(f"update_{resource}", update, f"Change a {words}, its tags too.", [("PUT", one)]),
        RuleDefault(f"delete_{resource}", delete, f"Delete a {words}.", [("DELETE", one)]),
    ]


def _attributes(check: str, resource: str, names: str, *, actions: str = "create update") -> list[RuleDefault]:
    verbs = {"create": "Set", "update": "Change", "get": "See"}
    return [
        RuleDefault(f"{action}_{resource}:{name}", check, f"{verbs[action]} {name} of a {resource}.")
        for action in actions.split()
        for name in names.split()
    ]


_PROVIDER = "provider:network_type provider:physical_network provider:segmentation_id"
RULES: list[RuleDefault] = [
    RuleDefault("network_owner", "project_id:%(network_project_id)s", "The token's project owns the network of the target."),
    RuleDefault("network_device", "True:%(is_network_device)s", "device_owner starts with network:."),
    *_crud("network", "/v2.0/networks", get=f"{_READ} or True:%(shared)s or True:%(external)s"),
    *_attributes(_ADMIN, "network", f"shared router:external is_default synnefo:drained synnefo:direct_floating_ips {_PROVIDER}"),
    *_attributes(_ADMIN, "network", _PROVIDER, actions="get"),
    *_crud(
        "subnet",
        "/v2.0/subnets",
        create=f"rule:admin or ({_NET_WRITE})",
        get=f"{_READ} or {_NET_READ} or {_SHARED} or {_EXTERNAL}",
        update=f"{_WRITE} or {_NET_WRITE}",
        delete=f"{_WRITE} or {_NET_WRITE}",
    ),
    *_crud(
        "port",
        "/v2.0/ports",
        create=f"{_ADMIN_OR_SERVICE} or {_NET_WRITE} or (rule:member and ({_SHARED} or {_DIRECT}))",
        get=f"{_READ} or {_NET_READ}",
        delete=f"{_WRITE} or {_NET_WRITE}",
    ),
    *_attributes(f"not rule:network_device or {_ADMIN_OR_SERVICE} or {_NET_WRITE}", "port", "device_owner"),
    *_attributes(
        f"{_ADMIN_OR_SERVICE} or {_NET_WRITE}",
        "port",
        "port_security_enabled allowed_address_pairs",
    ),
    # Where addresses come from floating IPs, which one is the project's to choose.
    *_attributes(f"{_ADMIN_OR_SERVICE} or {_NET_WRITE} or {_DIRECT}", "port", "fixed_ips:ip_address", actions="create"),
    *_attributes(f"{_ADMIN_OR_SERVICE} or {_NET_WRITE} or {_SHARED} or {_DIRECT}", "port", "fixed_ips", actions="create"),
    *_attributes(f"{_ADMIN_OR_SERVICE} or {_NET_WRITE}", "port", "fixed_ips:ip_address", actions="update"),
    *_attributes(f"{_ADMIN_OR_SERVICE} or {_NET_WRITE} or {_SHARED}", "port", "fixed_ips", actions="update"),
    *_attributes(f"{_ADMIN_OR_SERVICE} or {_NET_WRITE}", "port", "mac_address", actions="create"),
    *_attributes(f"{_ADMIN_OR_SERVICE} or (rule:manager and rule:network_owner)", "port", "mac_address", actions="update"),
    *_attributes(_ADMIN_OR_SERVICE, "port", "binding:host_id binding:profile"),
    *_attributes(_ADMIN_OR_SERVICE, "port", "binding:host_id binding:profile binding:vif_type binding:vif_details", actions="get"),
    *_crud("security_group", "/v2.0/security-groups", get=_READ_SHARED),
    *_crud("security_group_rule", "/v2.0/security-group-rules"),
    RuleDefault(
        "get_default_security_group_rule", "@", "See the rules that new security groups start with.", [("GET", "/v2.0/default-security-group-rules")]
    ),
    *(
        RuleDefault(f"{action}_default_security_group_rule", _ADMIN, text, [(method, path)])
        for action, text, method, path in (
            ("create", "Add a rule that new security groups start with.", "POST", "/v2.0/default-security-group-rules"),
            ("delete", "Delete one of them.", "DELETE", "/v2.0/default-security-group-rules/{id}"),
        )
    ),
    *_crud("floatingip", "/v2.0/floatingips"),
    *_attributes("rule:admin or (rule:manager and rule:owner)", "floatingip", "floating_ip_address", actions="create"),
    *_crud("address_scope", "/v2.0/address-scopes", get=_READ_SHARED),
    *_attributes(_ADMIN, "address_scope", "shared"),
    *_crud("subnetpool", "/v2.0/subnetpools", get=_READ_SHARED),
    *_attributes(_ADMIN, "subnetpool", "shared is_default"),
    *_crud("address_group", "/v2.0/address-groups", get=_READ_SHARED),
    *_crud("policy", "/v2.0/qos/policies", create=_MANAGE, get=_READ_SHARED, update=_MANAGE, delete=_MANAGE),
    *_attributes(_ADMIN, "policy", "shared"),
    *(
        rule
        for kind in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth")
        for rule in _crud(
            f"policy_{kind}_rule",
            f"/v2.0/qos/policies/{{policy_id}}/{kind}_rules",
            create=_MANAGE,
            get=_READ_SHARED,
            update=_MANAGE,
            delete=_MANAGE,
        )
    ),
    RuleDefault("get_rule_type", "@", "See the types of QoS rules.", [("GET", "/v2.0/qos/rule-types")]),
    RuleDefault("get_rule_type:drivers", _ADMIN, "See what the driver does of a type of QoS rules.", [("GET", "/v2.0/qos/rule-types/{id}")]),
    *_crud("rbac_policy", "/v2.0/rbac-policies"),
    *_attributes(f"{_ADMIN} or not True:%(is_wildcard)s", "rbac_policy", "target_tenant"),
    *_crud("floatingip_port_forwarding", "/v2.0/floatingips/{floatingip_id}/port_forwardings"),
    *_crud("router", "/v2.0/routers"),
    *_attributes(_ADMIN, "router", "distributed ha", actions="create update get"),
    *_attributes(_ADMIN, "router", "external_gateway_info:enable_snat external_gateway_info:external_fixed_ips"),
    *(
        RuleDefault(name, _WRITE, f"{text} of a router.", [("PUT", f"/v2.0/routers/{{id}}/{name}")])
        for name, text in (
            ("add_router_interface", "Add an interface"),
            ("remove_router_interface", "Remove an interface"),
            ("add_extraroutes", "Add routes"),
            ("remove_extraroutes", "Remove routes"),
        )
    ),
    RuleDefault(
        "get_quota",
        "rule:admin or (rule:reader and rule:owner)",
        "See a project's quotas.",
        [("GET", "/v2.0/quotas/{id}")],
    ),
    RuleDefault("list_quotas", _ADMIN, "List the projects with quotas of their own.", [("GET", "/v2.0/quotas")]),
    RuleDefault("update_quota", _ADMIN, "Set a project's quotas.", [("PUT", "/v2.0/quotas/{id}")]),
    RuleDefault("delete_quota", _ADMIN, "Give a project the default quotas.", [("DELETE", "/v2.0/quotas/{id}")]),
    *_crud("agent", "/v2.0/agents", get=_ADMIN, update=_ADMIN, delete=_ADMIN)[1:],
    *(
        RuleDefault(
            f"{action}_auto_allocated_topology", f"rule:admin or (rule:{role} and rule:owner)", text, [(method, "/v2.0/auto-allocated-topology/{id}")]
        )
        for action, role, method, text in (
            ("get", "member", "GET", "Have a network made for a project that names none, or ask whether it could be."),
            ("delete", "member", "DELETE", "Delete it."),
        )
    ),
    RuleDefault("get_address_history", _ADMIN, "See who had an address when.", [("GET", "/admin/v1/address-history")]),
    RuleDefault("get_availability_zone", "@", "List availability zones.", [("GET", "/v2.0/availability_zones")]),
    RuleDefault(
        "get_network_ip_availability",
        _ADMIN,
        "See how many addresses of a network are used.",
        [("GET", "/v2.0/network-ip-availabilities")],
    ),
]
ADMIN_PORT_FIELDS = ("binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details")
ADMIN_NETWORK_FIELDS = tuple(_PROVIDER.split())
