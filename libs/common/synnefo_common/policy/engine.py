"""A service's policy: documented defaults, overridden by an operator's YAML or TOML table, asked by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synnefo_common.policy.language import Check, parse_check


@dataclass(frozen=True)
class RuleDefault:
    """A named rule: its check string, what it guards, and which calls ask it."""

    name: str
    check: str
    description: str = ""
    operations: list[tuple[str, str]] = field(default_factory=list)


# Identity puts implied roles into the token (admin > manager > member > reader), so `role:member` covers manager and admin.
COMMON_RULES = (
    RuleDefault("admin", "role:admin", "An administrator of the cloud."),
    RuleDefault("context_is_admin", "role:admin", "As `admin`, by the name OpenStack's files use."),
    RuleDefault("manager", "role:manager or role:admin", "Manages a project or domain."),
    RuleDefault("member", "role:member or role:manager or role:admin", "Works in a project."),
    RuleDefault("reader", "role:reader or role:member or role:manager or role:admin", "Looks at a project."),
    RuleDefault("service", "role:service", "Another service of this cloud."),
    RuleDefault("owner", "project_id:%(project_id)s", "The token's project owns the target."),
    RuleDefault("admin_or_service", "rule:admin or rule:service", "An administrator or a service."),
    RuleDefault("project_reader", "rule:admin or (rule:reader and rule:owner)", "Reads what belongs to the project."),
    RuleDefault("project_member", "rule:admin or (rule:member and rule:owner)", "Changes what belongs to the project."),
    RuleDefault("project_manager", "rule:admin or (rule:manager and rule:owner)", "Manages what belongs to the project."),
)


class Policy:
    """Rules by name. An unknown rule is a programming error, never a permission."""

    def __init__(self, defaults: Iterable[RuleDefault], overrides: Mapping[str, str] | None = None) -> None:
        self.defaults: dict[str, RuleDefault] = {}
        for rule in (*COMMON_RULES, *defaults):
            self.defaults[rule.name] = rule
        self._rules: dict[str, Check] = {name: parse_check(rule.check) for name, rule in self.defaults.items()}
        for name, text in (overrides or {}).items():
            self._rules[name] = parse_check(text)

    def allows(self, name: str, target: Mapping[str, Any], credentials: Mapping[str, Any]) -> bool:
        """True if the rule holds. Raises KeyError for a rule that is not defined."""
        return self._rules[name](target, credentials, self._rules)
