"""A boot stays within its budget, whatever is added to the services."""

from __future__ import annotations

from tests.perf.boot import count


async def test_a_boot_costs_at_most_45_statements_5_calls_and_6_messages() -> None:
    counted = await count()
    print(counted)  # shown with a failure
    assert counted.messages, "nothing was counted"
    assert len(counted.statements) <= 45
    assert len(counted.calls) <= 5
    assert len(counted.messages) <= 6
