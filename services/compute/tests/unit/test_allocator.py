"""Choosing a cluster: filters, weights, reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo_compute.domain.allocator import Capacity, Demand, Ratios, choose, refusal, weight

RATIOS = Ratios(cpu=16.0, ram=1.0, disk=1000.0, stale_s=120.0)
EMPTY = Capacity(
    name="a", online=True, drained=False, zone="nova", disk_templates=("ext",), ram_total=16384, ram_free=16384, disk_total=100, disk_free=100,
    cpu_total=4, cpu_used=0, instances=0, age_s=1.0,
)  # fmt: skip
SMALL = Demand(vcpus=1, ram_mib=512, disk_gib=1)


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
    assert refusal(replace(EMPTY, **changes), SMALL, RATIOS) == reason


def test_zone_and_earlier_refusals_are_heeded() -> None:
    assert refusal(EMPTY, replace(SMALL, zone="mars"), RATIOS) == "not in zone mars"
    assert refusal(EMPTY, replace(SMALL, zone="nova"), RATIOS) is None
    assert refusal(EMPTY, replace(SMALL, exclude=("a",)), RATIOS) == "refused it before"


def test_memory_may_be_sold_more_than_once() -> None:
    full = replace(EMPTY, ram_free=0)
    assert refusal(full, SMALL, RATIOS) == "not enough memory"
    assert refusal(full, SMALL, replace(RATIOS, ram=1.5)) is None


def test_the_emptiest_wins_then_the_one_with_fewer_servers_then_the_name() -> None:
    busy, b = replace(EMPTY, name="busy", ram_free=1024), replace(EMPTY, name="b", instances=1)
    assert choose([busy, b], SMALL, RATIOS) == ("b", {})
    assert choose([b, EMPTY], SMALL, RATIOS)[0] == "a"
    assert choose([replace(EMPTY, name="z"), EMPTY], SMALL, RATIOS)[0] == "a"
    promised = replace(EMPTY, reserved_ram=8192, reserved_servers=1)
    assert choose([promised, replace(EMPTY, name="z")], SMALL, RATIOS)[0] == "z"


def test_nobody_fits_and_each_says_why() -> None:
    clusters = [replace(EMPTY, online=False), replace(EMPTY, name="b", drained=True)]
    assert choose(clusters, SMALL, RATIOS) == (None, {"a": "offline", "b": "drained"})
    assert choose([], SMALL, RATIOS) == (None, {})


def test_a_cluster_that_reports_no_memory_is_full_and_does_not_divide_by_zero() -> None:
    assert weight(replace(EMPTY, ram_total=0, ram_free=0))[0] == 1.0


sizes = st.integers(min_value=0, max_value=2**31)


@given(st.lists(st.builds(
    Capacity, name=st.sampled_from("abcdef"), online=st.booleans(), drained=st.booleans(), zone=st.just("nova"),
    disk_templates=st.just(("ext",)), ram_total=sizes, ram_free=sizes, disk_total=sizes, disk_free=sizes, cpu_total=sizes, cpu_used=sizes,
    instances=sizes, age_s=st.floats(0, 300), reserved_ram=sizes, reserved_disk=sizes, reserved_cpu=sizes, reserved_servers=sizes,
), unique_by=lambda c: c.name), st.integers(1, 64), st.integers(1, 2**20))  # fmt: skip
def test_whoever_is_chosen_fits_and_everybody_is_chosen_or_refused(clusters: list[Capacity], vcpus: int, ram: int) -> None:
    demand = Demand(vcpus=vcpus, ram_mib=ram, disk_gib=1)
    name, refused = choose(clusters, demand, RATIOS)
    fit = {c.name for c in clusters if refusal(c, demand, RATIOS) is None}
    assert set(refused) == {c.name for c in clusters} - fit
    assert (name in fit) if fit else name is None
