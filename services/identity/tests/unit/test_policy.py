"""Every rule against every persona. A rule that is missing from the table fails the test."""

from __future__ import annotations

import pytest

from synnefo_common.auth import Claims
from synnefo_common.policy import Policy
from synnefo_common.web import Context
from synnefo_identity.domain.policy import RULES

MANAGER, MEMBER, READER = ("manager", "member", "reader"), ("member", "reader"), ("reader",)
ADMIN = ("admin", *MANAGER)
POLICY = Policy(RULES)

# Things of domain `d1`, project `p1`, user `u1`; the personas are in them, strangers elsewhere.
TARGET = {
    "target.domain_id": "d1",
    "target.domain.id": "d1",
    "target.user.id": "u1",
    "target.user.domain_id": "d1",
    "target.group.domain_id": "d1",
    "target.project.id": "p1",
    "target.project.domain_id": "d1",
    "target.role.name": "member",
    "target.limit.project_id": "p1",
    "target.limit.project.domain_id": "d1",
    "target.credential.user_id": "u1",
    "target.token.user_id": "u1",
}


def persona(roles: tuple[str, ...], *, user: str = "x", project: str | None = None, domain: str | None = None, system: bool = False) -> Context:
    claims = Claims(
        user_id=user,
        user_domain_id="d1",
        methods=("password",),
        audit_ids=("a",),
        issued_at=0,
        expires_at=0,
        project_id=project,
        project_domain_id="d1" if project == "p1" else "d2" if project else None,
        domain_id=domain,
        system=system,
        roles=tuple((f"id-{r}", r) for r in roles),
    )
    return Context(claims, policy=POLICY, request_id="req-0")


PERSONAS = {
    "cloud admin": persona(ADMIN, project="p9"),
    "system reader": persona(READER, system=True),
    "domain manager": persona(MANAGER, domain="d1"),
    "domain reader": persona(READER, domain="d1"),
    "foreign domain manager": persona(MANAGER, domain="d2"),
    "project manager": persona(MANAGER, project="p1"),
    "project reader": persona(READER, project="p1"),
    "foreign project member": persona(MEMBER, project="p9"),
    "the user": persona(MEMBER, user="u1", project="p9"),
    "service": persona(("service",), project="ps"),
}
A, S, DM, DR = "cloud admin", "system reader", "domain manager", "domain reader"
FD, PM, PR, U, SV = "foreign domain manager", "project manager", "project reader", "the user", "service"
ALL = set(PERSONAS)
LOOK, LOOK_DOMAIN = {A, S}, {A, S, DM, DR}

ALLOWED: dict[str, set[str]] = {
    **{key: {A, S, SV, U} for key in ("validate_token", "check_token")},
    "revoke_token": {A, SV, U},
    **dict.fromkeys(("get_auth_catalog", "get_auth_projects", "get_auth_domains", "get_auth_system"), ALL),
    **dict.fromkeys(("list_users", "list_groups", "list_projects", "list_role_assignments", "list_domains"), LOOK_DOMAIN),
    **dict.fromkeys(("get_user", "list_user_projects", "list_groups_for_user"), LOOK_DOMAIN | {U}),
    **{key: {A, DM} for key in ("create_user", "update_user", "delete_user")},
    **dict.fromkeys(("get_group", "list_users_in_group", "check_user_in_group"), LOOK_DOMAIN),
    **{key: {A, DM} for key in ("create_group", "update_group", "delete_group", "add_user_to_group", "remove_user_from_group")},
    **dict.fromkeys(("get_project", "list_project_tags"), LOOK_DOMAIN | {PM, PR}),
    **{key: {A, DM} for key in ("create_project", "update_project", "delete_project", "update_project_tags")},
    "get_domain": LOOK_DOMAIN | {PM, PR},
    **{key: {A} for key in ("create_domain", "update_domain", "delete_domain")},
    **{key: {A, S, DM, FD} for key in ("list_roles", "get_role")},
    **dict.fromkeys(("list_domain_roles", "get_domain_role"), LOOK),
    **{key: {A} for key in ("create_role", "update_role", "delete_role", "create_implied_role", "delete_implied_role")},
    **dict.fromkeys(("list_implied_roles", "get_implied_role", "list_role_inference_rules"), LOOK),
    **dict.fromkeys(("list_grants", "check_grant"), LOOK_DOMAIN),
    **{key: {A, DM} for key in ("create_grant", "revoke_grant")},
    **dict.fromkeys(("list_system_grants", "check_system_grant"), LOOK),
    **{key: {A} for key in ("create_system_grant", "revoke_system_grant")},
    **{f"{verb}_{kind}": LOOK for kind in ("service", "endpoint") for verb in ("get",)},
    "list_services": LOOK,
    "list_endpoints": LOOK,
    **{f"{verb}_{kind}": {A} for kind in ("service", "endpoint", "region") for verb in ("create", "update", "delete")},
    **dict.fromkeys(("list_regions", "get_region", "get_limit_model", "list_limits"), ALL),
    **dict.fromkeys(("list_registered_limits", "get_registered_limit"), ALL),
    "get_limit": {A, S, DM, DR, PM, PR},
    **{key: {A} for key in ("create_limits", "update_limit", "delete_limit")},
    **{key: {A} for key in ("create_registered_limits", "update_registered_limit", "delete_registered_limit")},
    **{key: {A, S, U} for key in ("list_application_credentials", "get_application_credential")},
    "create_application_credential": {U},
    "delete_application_credential": {A, U},
    **{key: {A, S, U} for key in ("list_credentials", "get_credential")},
    **{key: {A, U} for key in ("create_credential", "update_credential", "delete_credential")},
    **{key: {A, S, U} for key in ("ec2_list_credentials", "ec2_get_credential")},
    **{key: {A, U} for key in ("ec2_create_credential", "ec2_delete_credential")},
    **{key: {A, SV} for key in ("ec2tokens_validate", "s3tokens_validate")},
}


def test_the_table_names_every_rule() -> None:
    assert {rule.name for rule in RULES} == {f"identity:{name}" for name in ALLOWED}


@pytest.mark.parametrize("rule", sorted(ALLOWED))
def test_rule_allows_exactly_these(rule: str) -> None:
    assert {name for name, ctx in PERSONAS.items() if ctx.may(f"identity:{rule}", TARGET)} == ALLOWED[rule]


def test_domain_manager_cannot_give_admin_or_service() -> None:
    for role in ("admin", "service", "ResellerAdmin"):
        assert not PERSONAS[DM].may("identity:create_grant", TARGET | {"target.role.name": role})


def test_domain_manager_sees_a_role_that_he_may_give() -> None:
    assert not PERSONAS[DM].may("identity:get_role", TARGET | {"target.role.name": "admin"})


def test_what_does_not_exist_is_seen_by_nobody_but_who_sees_all() -> None:
    assert {name for name, ctx in PERSONAS.items() if ctx.may("identity:get_user", {})} == LOOK
