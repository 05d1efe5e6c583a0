"""The kinds of QoS rules, their parameters, and which rules go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synnefo_network.domain.errors import QoSRuleParameterConflict, QoSRulesConflict

# Type → its parameters, in the order in which they are shown.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "bandwidth_limit": ("max_kbps", "max_burst_kbps", "direction"),
    "dscp_marking": ("dscp_mark",),
    "minimum_bandwidth": ("min_kbps", "direction"),
}
DSCP_MARKS = frozenset({0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 46, 48, 56})


def check_rule(rule: Mapping[str, Any], others: Sequence[Any], *, policy_id: str) -> None:
    """One rule of a type for each direction, and no minimum above the limit. Raises QoSRulesConflict, QoSRuleParameterConflict."""
    for other in others:
        if other.type == rule["type"] and other.direction == rule["direction"]:
            raise QoSRulesConflict(f"Rule {rule['type']} conflicts with rule {other.id} which already exists in QoS Policy {policy_id}.")
        if other.direction != rule["direction"]:
            continue
        least = rule["min_kbps"] if rule["type"] == "minimum_bandwidth" else other.min_kbps
        most = rule["max_kbps"] if rule["type"] == "bandwidth_limit" else other.max_kbps
        if least is not None and most is not None and least > most:
            value = rule["min_kbps"] if rule["min_kbps"] is not None else rule["max_kbps"]
            there = other.max_kbps if other.max_kbps is not None else other.min_kbps
            raise QoSRuleParameterConflict(
                f"Unable to add the rule with value {value} to the policy {policy_id} "
                f"as the existing rule of type {other.type} has value {there}."
            )
