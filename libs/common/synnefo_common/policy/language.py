"""oslo.policy's check language, compiled to closures. `http:` checks are refused: no network call is made while authorising."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Credentials = Mapping[str, Any]
Target = Mapping[str, Any]
Rules = Mapping[str, "Check"]
Check = Callable[[Target, Credentials, Rules], bool]

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+\([^)]*\)s[^\s()]*|[^\s()]+)")
_TEMPLATE = re.compile(r"%\(([^)]+)\)s")


class PolicySyntaxError(ValueError):
    """The check string cannot be parsed."""


def parse_check(text: str) -> Check:
    """Compile a check string; the empty string and `@` allow, `!` denies."""
    tokens = [t for t in _TOKEN.findall(text.strip()) if t]
    if not tokens:
        return _allow
    parser = _Parser(tokens, text)
    check = parser.disjunction()
    if parser.peek() is not None:
        raise PolicySyntaxError(f"unexpected {parser.peek()!r} in {text!r}")
    return check


def _allow(_target: Target, _creds: Credentials, _rules: Rules) -> bool:
    return True


def _deny(_target: Target, _creds: Credentials, _rules: Rules) -> bool:
    return False


class _Parser:
    """Recursive descent: or < and < not < term."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens, self.text, self.position = tokens, text, 0

    def peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise PolicySyntaxError(f"unexpected end of {self.text!r}")
        self.position += 1
        return token

    def disjunction(self) -> Check:
        checks = [self.conjunction()]
        while (self.peek() or "").lower() == "or":
            self.take()
            checks.append(self.conjunction())
        if len(checks) == 1:
            return checks[0]
        return lambda t, c, r: any(check(t, c, r) for check in checks)

    def conjunction(self) -> Check:
        checks = [self.negation()]
        while (self.peek() or "").lower() == "and":
            self.take()
            checks.append(self.negation())
        if len(checks) == 1:
            return checks[0]
        return lambda t, c, r: all(check(t, c, r) for check in checks)

    def negation(self) -> Check:
        if (self.peek() or "").lower() == "not":
            self.take()
            inner = self.negation()
            return lambda t, c, r: not inner(t, c, r)
        return self.term()

    def term(self) -> Check:
        token = self.take()
        if token == "(":
            inner = self.disjunction()
            if self.take() != ")":
                raise PolicySyntaxError(f"missing ) in {self.text!r}")
            return inner
        if token == "@":
            return _allow
        if token == "!":
            return _deny
        kind, separator, match = token.partition(":")
        if not separator or token == ")":
            raise PolicySyntaxError(f"cannot read {token!r} in {self.text!r}")
        if kind in ("http", "https"):
            raise PolicySyntaxError(f"{kind}: checks are not supported: {self.text!r}")
        if kind == "rule":
            return _rule(match)
        if kind == "role":
            return _role(match)
        return _generic(kind, match)


def _rule(name: str) -> Check:
    def check(target: Target, creds: Credentials, rules: Rules) -> bool:
        rule = rules.get(name)
        return rule is not None and rule(target, creds, rules)

    return check


def _fill(template: str, target: Target) -> str | None:
    """The template with `%(key)s` filled from the target; None if a key is missing."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        if found[1] not in target:
            missing = True
            return ""
        return str(target[found[1]])

    text = _TEMPLATE.sub(value, template)
    return None if missing else text


def _role(name: str) -> Check:
    if "%(" not in name:
        lowered = name.lower()
        return lambda _t, creds, _r: lowered in creds.get("roles_lower", ())

    def check(target: Target, creds: Credentials, _rules: Rules) -> bool:
        filled = _fill(name, target)
        return filled is not None and filled.lower() in creds.get("roles_lower", ())

    return check


def _generic(kind: str, match: str) -> Check:
    literal: list[str] | None = None
    if kind[:1] in "'\"" and kind[-1:] == kind[:1]:
        literal = [kind[1:-1]]
    elif kind in ("True", "False", "None") or kind.isdigit():
        literal = [kind]

    def check(target: Target, creds: Credentials, _rules: Rules) -> bool:
        wanted = _fill(match, target)
        if wanted is None:
            return False
        if literal is not None:
            return wanted in literal
        found: Any = creds
        for part in kind.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        if isinstance(found, (list, tuple, set, frozenset)):
            return wanted in {str(item) for item in found}
        return wanted == str(found)

    return check
