"""The policy of a form upload: until when it is good, and what the form's fields may say. Pure."""

from __future__ import annotations

import base64
import binascii
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from time import strptime
from typing import Any, Final

import orjson

from synnefo_object.domain.s3.errors import S3Fault

# Fields that no condition has to name.
_FREE: Final = frozenset(("x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"))
_IGNORED: Final = "x-ignore-"
_TIMES: Final = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Condition:
    """`name` is in lower case; with `is_prefix` the field need only begin with the value."""

    name: str
    value: str
    is_prefix: bool = False

    def holds(self, given: str) -> bool:
        """Whether the field's text is what is wanted."""
        return given.startswith(self.value) if self.is_prefix else given == self.value


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """What was signed. `least` and `most` are the file's size in bytes."""

    expires_s: int
    conditions: tuple[Condition, ...]
    least: int = 0
    most: int | None = None

    def check(self, fields: Mapping[str, str], *, bucket: str, now_s: int) -> None:
        """`fields` by lower-case names, the key as it will be. Raises AccessDenied."""
        if now_s >= self.expires_s:
            raise _denied("Policy expired.")
        given = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if not condition.holds(given.get(condition.name, "")):
                kind = "starts-with" if condition.is_prefix else "eq"
                raise _denied(f'Policy Condition failed: ["{kind}", "${condition.name}", "{condition.value}"]')
        named = {condition.name for condition in self.conditions}
        extra = sorted(name for name in fields if name not in named and name not in _FREE and not name.startswith(_IGNORED))
        if extra:
            raise _denied(f"Extra input fields: {extra[0]}")


def _denied(why: str) -> S3Fault:
    return S3Fault("AccessDenied", f"Invalid according to Policy: {why}")


def _invalid(why: str) -> S3Fault:
    return S3Fault("InvalidPolicyDocument", f"Invalid Policy: {why}")


def read_policy(text: str) -> PostPolicy:
    """Of the form's field, JSON in base64. Raises InvalidPolicyDocument."""
    try:
        found: Any = orjson.loads(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        raise _invalid("it must be JSON in base64.") from None
    if not isinstance(found, dict) or not isinstance(found.get("expiration"), str) or not isinstance(found.get("conditions"), list):
        raise _invalid("it must have an expiration and a list of conditions.")
    least, most = 0, None
    conditions: list[Condition] = []
    for one in found["conditions"]:
        if isinstance(one, list) and len(one) == 3 and one[0] == "content-length-range":
            least, most = _size(one[1]), _size(one[2])
        else:
            conditions += _conditions(one)
    return PostPolicy(_expiration(found["expiration"]), tuple(conditions), least, most)


def _expiration(text: str) -> int:
    for form in _TIMES:
        try:
            return timegm(strptime(text, form))
        except ValueError:
            continue
    raise _invalid(f"Invalid 'expiration' value: '{text[:40]}'")


def _size(given: object) -> int:
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _invalid("content-length-range needs two numbers.")
    return int(text)


def _conditions(one: object) -> list[Condition]:
    if isinstance(one, dict) and one and all(isinstance(value, str) for value in one.values()):
        return [Condition(name.lower(), value) for name, value in one.items()]
    if isinstance(one, list) and len(one) == 3 and all(isinstance(part, str) for part in one):
        kind, name, value = one
        if kind.lower() in ("eq", "starts-with") and name.startswith("$"):
            return [Condition(name[1:].lower(), value, kind.lower() == "starts-with")]
    raise _invalid("a condition is none of S3's.")
