"""Choosing a cluster: filters, weights, reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo_compute.domain.allocator import FILTERS, Capacity, Demand, Rules, choose, refusal, weight

RULES = Rules(cpu=16.0, ram=1.0, disk=1000.0, stale_s=120.0)
EMPTY = Capacity(
    cluster="a", online=True, drained=False, zone="nova", disk_templates=("ext",), ram_total=16384, ram_free=16384, disk_total=100, disk_free=100,
    cpu_total=4, cpu_used=0, instances=0, age_s=1.0,
)  # fmt: skip
SMALL = Demand(vcpus=1, ram_mib=512, disk_gib=1)


def chosen(places: list[Capacity], demand: Demand = SMALL, rules: Rules = RULES) -> str | None:
    found, _ = choose(places, demand, rules)
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None), ({"online": False}, "offline"), ({"age_s": 120.1}, "offline"), ({"age_s": 120.0}, None), ({"drained": True}, "drained"),
        ({"zone": "mars"}, None), ({"disk_templates": ("plain",)}, "disk template ext is not enabled"), ({"ram_free": 511}, "not enough memory"),
        ({"ram_free": 512}, None), ({"ram_free": 1024, "reserved_ram": 513}, "not enough memory"), ({"cpu_used": 64}, "not enough CPUs"),
        ({"cpu_used": 63}, None), ({"reserved_cpu": 64}, "not enough CPUs"), ({"disk_total": 1, "reserved_disk": 1000}, "not enough disk"),
        ({"disk_total": 0}, None),
    ],
)  # fmt: skip
def test_a_cluster_is_refused_for_the_reason(changes: dict[str, Any], reason: str | None) -> None:
    assert refusal(replace(EMPTY, **changes), SMALL, RULES) == reason


def test_zone_and_earlier_refusals_are_heeded() -> None:
    assert refusal(EMPTY, replace(SMALL, zone="mars"), RULES) == "not in zone mars"
    assert refusal(EMPTY, replace(SMALL, zone="nova"), RULES) is None
    assert refusal(EMPTY, replace(SMALL, exclude=("a",)), RULES) == "refused it before"


def test_memory_may_be_sold_more_than_once() -> None:
    full = replace(EMPTY, ram_free=0)
    assert refusal(full, SMALL, RULES) == "not enough memory"
    assert refusal(full, SMALL, replace(RULES, ram=1.5)) is None


def test_the_emptiest_wins_then_the_one_with_fewer_servers_then_the_name() -> None:
    busy, b = replace(EMPTY, cluster="busy", ram_free=1024), replace(EMPTY, cluster="b", instances=1)
    assert choose([busy, b], SMALL, RULES) == (b, {})
    assert chosen([b, EMPTY]) == "a"
    assert chosen([replace(EMPTY, cluster="z"), EMPTY]) == "a"
    promised = replace(EMPTY, reserved_ram=8192, reserved_servers=1)
    assert chosen([promised, replace(EMPTY, cluster="z")]) == "z"


def test_nobody_fits_and_each_says_why() -> None:
    clusters = [replace(EMPTY, online=False), replace(EMPTY, cluster="b", drained=True)]
    assert choose(clusters, SMALL, RULES) == (None, {"a": "offline", "b": "drained"})
    assert choose([], SMALL, RULES) == (None, {})


def test_a_cluster_that_reports_no_memory_is_full_and_does_not_divide_by_zero() -> None:
    assert weight(replace(EMPTY, ram_total=0, ram_free=0), SMALL, RULES)[0] == 1.0


sizes = st.integers(min_value=0, max_value=2**31)


@given(st.lists(st.builds(
    Capacity, cluster=st.sampled_from("abcdef"), online=st.booleans(), drained=st.booleans(), zone=st.just("nova"),
    disk_templates=st.just(("ext",)), ram_total=sizes, ram_free=sizes, disk_total=sizes, disk_free=sizes, cpu_total=sizes, cpu_used=sizes,
    instances=sizes, age_s=st.floats(0, 300), reserved_ram=sizes, reserved_disk=sizes, reserved_cpu=sizes, reserved_servers=sizes,
), unique_by=lambda c: c.name), st.integers(1, 64), st.integers(1, 2**20))  # fmt: skip
def test_whoever_is_chosen_fits_and_everybody_is_chosen_or_refused(clusters: list[Capacity], vcpus: int, ram: int) -> None:
    demand = Demand(vcpus=vcpus, ram_mib=ram, disk_gib=1)
    found, refused = choose(clusters, demand, RULES)
    name = None if found is None else found.name
    fit = {c.name for c in clusters if refusal(c, demand, RULES) is None}
    assert set(refused) == {c.name for c in clusters} - fit
    assert (name in fit) if fit else name is None


def test_a_place_is_a_cluster_or_one_of_its_node_groups() -> None:
    east, west = replace(EMPTY, group="east", zone="east"), replace(EMPTY, group="west", zone="west", ram_free=100)
    assert chosen([east, west]) == "a/east"
    assert choose([east, west], replace(SMALL, zone="west"), RULES) == (None, {"a/east": "not in zone west", "a/west": "not enough memory"})
    assert refusal(east, replace(SMALL, exclude=("a/east",)), RULES) == "refused it before"
    assert refusal(west, replace(SMALL, exclude=("a/east",), ram_mib=1), RULES) is None


def test_hypervisor_of_the_flavor() -> None:
    kvm = replace(EMPTY, hypervisors=("kvm", "fake"))
    assert refusal(kvm, replace(SMALL, hypervisor="kvm"), RULES) is None
    assert refusal(kvm, replace(SMALL, hypervisor="fake"), RULES) == "its hypervisor is not fake"


def test_clusters_of_a_project_are_its_own() -> None:
    rules = replace(RULES, pins={"p": frozenset({"a"})})
    b = replace(EMPTY, cluster="b")
    assert choose([EMPTY, b], replace(SMALL, project_id="p"), rules) == (EMPTY, {"b": "not a cluster of the project"})
    assert choose([EMPTY, b], replace(SMALL, project_id="q"), rules) == (b, {"a": "kept for other projects"})


def test_filters_and_weighers_are_chosen_by_name() -> None:
    full = replace(EMPTY, ram_free=0, cpu_used=10)
    assert refusal(full, SMALL, replace(RULES, filters=("cpu",))) is None
    busy = replace(EMPTY, cluster="busy", ram_free=8192)
    assert chosen([EMPTY, busy], rules=replace(RULES, weighers={"ram": -1.0})) == "busy"  # fill what is full first
    idle = replace(EMPTY, cluster="z", cpu_used=0)
    assert chosen([replace(EMPTY, cpu_used=30), idle], rules=replace(RULES, weighers={"cpu": 1.0})) == "z"
    assert chosen([replace(EMPTY, disk_free=10), idle], rules=replace(RULES, weighers={"disk": 1.0})) == "z"
    assert set(RULES.filters) == set(FILTERS)
