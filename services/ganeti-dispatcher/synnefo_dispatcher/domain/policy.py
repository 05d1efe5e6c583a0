"""Who may do what in the dispatcher: administrators everything, others nothing. `/internal/v1` wants role service."""

from __future__ import annotations

from synnefo_common.policy import RuleDefault


def _rule(name: str, text: str, *operations: tuple[str, str]) -> RuleDefault:
    return RuleDefault(f"dispatcher:{name}", "rule:admin", text, list(operations))


RULES = [
    _rule("clusters:list", "List clusters.", ("GET", "/v1/clusters")),
    _rule("clusters:show", "Show a cluster.", ("GET", "/v1/clusters/{name}")),
    _rule("clusters:create", "Register a cluster.", ("POST", "/v1/clusters")),
    _rule("clusters:update", "Change a cluster.", ("PUT", "/v1/clusters/{name}")),
    _rule("clusters:refresh", "Look at a cluster now.", ("POST", "/v1/clusters/{name}/refresh")),
    _rule("clusters:delete", "Forget a cluster.", ("DELETE", "/v1/clusters/{name}")),
    _rule("jobs:list", "List jobs.", ("GET", "/v1/jobs")),
    _rule("health:show", "See how the clusters and queues are.", ("GET", "/v1/health")),
]
