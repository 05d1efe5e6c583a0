"""Policy in oslo.policy's language: rules, defaults, enforcement."""

from synnefo_common.policy.engine import Policy, RuleDefault
from synnefo_common.policy.language import Check, PolicySyntaxError, parse_check

__all__ = ["Check", "Policy", "PolicySyntaxError", "RuleDefault", "parse_check"]
