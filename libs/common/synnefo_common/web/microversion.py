"""Microversions: read the header, refuse what is not served, echo what was used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders

from synnefo_common.errors import BadRequest, NotAcceptable

_PATTERN = re.compile(r"^([1-9]\d*)\.(0|[1-9]\d*)$")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A microversion; compares as numbers."""

    major: int
    minor: int

    @classmethod
    def of(cls, text: str) -> Version:
        """Raises BadRequest for text that is no version."""
        found = _PATTERN.match(text)
        if not found:
            raise BadRequest(f"API Version String '{text[:40]}' is of invalid format. Must be of format MajorNum.MinorNum.")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class Microversions:
    """What a service offers. `legacy_header` is Nova's own older header, or None."""

    service: str
    minimum: Version
    maximum: Version
    legacy_header: str | None = None

    def read(self, headers: Headers) -> Version:
        """The version of a request. Raises BadRequest (malformed) or NotAcceptable (not served)."""
        text = None
        for item in headers.get("openstack-api-version", "").split(","):
            kind, _, version = item.strip().partition(" ")
            if kind.lower() == self.service:
                text = version.strip()
        if text is None and self.legacy_header:
            text = headers.get(self.legacy_header)
        if not text:
            return self.minimum
        if text == "latest":
            return self.maximum
        version_ = Version.of(text)
        if not self.minimum <= version_ <= self.maximum:
            raise NotAcceptable(f"Version {version_} is not supported by the API. Minimum is {self.minimum} and maximum is {self.maximum}.")
        return version_

    def write(self, headers: MutableHeaders, version: Version) -> None:
        """Echo the version and say what the answer depends on."""
        headers["OpenStack-API-Version"] = f"{self.service} {version}"
        vary = ["OpenStack-API-Version"]
        if self.legacy_header:
            headers[self.legacy_header] = str(version)
            vary.append(self.legacy_header)
        headers.add_vary_header(", ".join(vary))
