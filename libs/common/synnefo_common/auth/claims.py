"""What a token says. No catalogue and no display names are inside: those are looked up where they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claims:
    """A token's content; times in µs since the epoch.

    Exactly one of `project_id`, `domain_id`, `system` is set for a scoped token, none for an unscoped one.
    `audit_ids` is the token's own audit id and, after rescoping, the id of the chain's first token.
    """

    user_id: str
    user_domain_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: int
    expires_at: int
    project_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    roles: tuple[tuple[str, str], ...] = ()  # (id, name), implied roles included
    credential_id: str | None = None  # application credential
    trust_id: str | None = None
    is_domain: bool = False

    def to_payload(self) -> dict[str, Any]:
        """The JWS payload: short keys, absent values left out."""
        payload: dict[str, Any] = {
            "sub": self.user_id, "ud": self.user_domain_id, "m": list(self.methods), "a": list(self.audit_ids),
            "iat": self.issued_at, "exp": self.expires_at,
        }  # fmt: skip
        if self.project_id is not None:
            payload["p"], payload["pd"] = self.project_id, self.project_domain_id
        if self.domain_id is not None:
            payload["d"] = self.domain_id
        if self.system:
            payload["s"] = 1
        if self.roles:
            payload["r"] = [list(role) for role in self.roles]
        if self.credential_id is not None:
            payload["ac"] = self.credential_id
        if self.trust_id is not None:
            payload["t"] = self.trust_id
        if self.is_domain:
            payload["isd"] = 1
        return payload

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Claims:
        """Raises KeyError or TypeError for a payload that is not ours."""
        return cls(
            user_id=payload["sub"], user_domain_id=payload["ud"], methods=tuple(payload["m"]), audit_ids=tuple(payload["a"]),
            issued_at=payload["iat"], expires_at=payload["exp"],
            project_id=payload.get("p"), project_domain_id=payload.get("pd"), domain_id=payload.get("d"), system=bool(payload.get("s")),
            roles=tuple((r[0], r[1]) for r in payload.get("r", ())),
            credential_id=payload.get("ac"), trust_id=payload.get("t"), is_domain=bool(payload.get("isd")),
        )  # fmt: skip
