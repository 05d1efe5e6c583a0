"""Catalogue URLs, implied roles, resource names."""

from __future__ import annotations

import pytest

from synnefo_identity.domain.catalog import fill_url, is_valid_url
from synnefo_identity.domain.quota import holder, resource_of
from synnefo_identity.domain.roles import Role, RoleGraph


@pytest.mark.parametrize(
    ("url", "filled", "valid"),
    [
        ("http://x/v3", "http://x/v3", True),
        ("http://x/$(project_id)s", "http://x/p", True),
        ("http://x/%(tenant_id)s/%(user_id)s", "http://x/p/u", True),
        ("http://x/$(secret)s", None, False),
        ("http://x/$(project_id)", "http://x/$(project_id)", False),
    ],
)
def test_endpoint_urls(url: str, filled: str | None, *, valid: bool) -> None:
    assert fill_url(url, project_id="p", user_id="u") == filled
    assert is_valid_url(url) is valid


def test_url_with_project_is_left_out_without_one() -> None:
    assert fill_url("http://x/$(project_id)s", project_id=None, user_id="u") is None


def test_implied_roles_expand_once_even_in_a_circle() -> None:
    roles = {name: Role(name, name) for name in "abc"} | {"d": Role("d", "d", "domain")}
    graph = RoleGraph(roles, {"a": ("b", "d"), "b": ("c",), "c": ("a",)})
    assert graph.expand(["a", "gone"]) == ["a", "b", "d", "c"]
    assert graph.for_token(["a"]) == (("a", "a"), ("b", "b"), ("c", "c"))
    assert graph.would_loop("a", "b")
    assert not RoleGraph(roles, {"a": ("b",)}).would_loop("a", "b")


def test_holders_and_names() -> None:
    assert holder("compute.cores", project_id="p", user_id="u") == ("p", "*")
    assert holder("compute.key_pairs", project_id="p", user_id="u") == ("*", "u")
    assert resource_of("block-storage", "volumes", region_id=None, home="R") == "volume.volumes"
    assert resource_of("dns", "zones", region_id="R", home="R") == "dns.zones"
    assert resource_of("dns", "zones", region_id="S", home="R") == "dns.zones@S"
