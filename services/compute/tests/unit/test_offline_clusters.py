"""Whether a server waits for a cluster: only where being offline is all that speaks against it."""

from __future__ import annotations

import pytest

from synnefo_compute.domain.allocator import OFFLINE, Capacity, Demand, Rules, choose

RULES = Rules(cpu=16.0, ram=1.0, disk=1000.0, stale_s=120.0)


def cluster(name: str, *, online: bool = True, drained: bool = False, zone: str = "nova", ram_free: int = 4096, age_s: float = 1.0) -> Capacity:
    return Capacity(
        cluster=name, online=online, drained=drained, zone=zone, disk_templates=("ext",), ram_total=8192, ram_free=ram_free, disk_total=100,
        disk_free=100, cpu_total=4, cpu_used=0, instances=0, age_s=age_s,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (cluster("a", online=False), OFFLINE),
        (cluster("a", age_s=121.0), OFFLINE),
        (cluster("a", online=False, drained=True), "drained"),
        (cluster("a", online=False, zone="far"), "not in zone nova"),
        (cluster("a", online=False, ram_free=100), "not enough memory"),
    ],
)
def test_offline_is_the_reason_only_when_nothing_else_is(found: Capacity, reason: str) -> None:
    place, refused = choose([found], Demand(vcpus=1, ram_mib=128, disk_gib=1, zone="nova"), RULES)
    assert (place, refused) == (None, {"a": reason})


def test_another_cluster_is_taken_at_once() -> None:
    place, _ = choose([cluster("a", online=False), cluster("b")], Demand(vcpus=1, ram_mib=128, disk_gib=1), RULES)
    assert place is not None and place.name == "b"
