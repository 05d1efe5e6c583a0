"""The catalogue as a token shows it: endpoints grouped by service, placeholders filled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PLACEHOLDER = re.compile(r"[$%]\((\w+)\)s")
_NEEDS_PROJECT = frozenset({"project_id", "tenant_id"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An enabled endpoint."""

    id: str
    interface: str
    region_id: str | None
    url: str


@dataclass(frozen=True, slots=True)
class CatalogService:
    """An enabled service with its enabled endpoints."""

    id: str
    type: str
    name: str
    endpoints: tuple[Endpoint, ...]


def fill_url(url: str, *, project_id: str | None, user_id: str) -> str | None:
    """The URL with its placeholders filled; None if one cannot be (no project in the token, or an unknown name)."""
    values = {"user_id": user_id}
    if project_id is not None:
        values["project_id"] = values["tenant_id"] = project_id
    unknown = [name for name in _PLACEHOLDER.findall(url) if name not in values]
    return None if unknown else _PLACEHOLDER.sub(lambda m: values[m[1]], url)


def is_valid_url(url: str) -> bool:
    """True if every placeholder of the URL is one that we fill."""
    rest = _PLACEHOLDER.sub("", url)
    known = all(name in _NEEDS_PROJECT or name == "user_id" for name in _PLACEHOLDER.findall(url))
    return known and "$(" not in rest and "%(" not in rest


def render(services: Sequence[CatalogService], *, project_id: str | None, user_id: str) -> list[dict[str, Any]]:
    """The `catalog` of a token."""
    catalog = []
    for service in services:
        endpoints = []
        for endpoint in service.endpoints:
            url = fill_url(endpoint.url, project_id=project_id, user_id=user_id)
            if url is not None:
                endpoints.append(
                    {
                        "id": endpoint.id,
                        "interface": endpoint.interface,
                        "region_id": endpoint.region_id,
                        "region": endpoint.region_id,
                        "url": url,
                    }
                )
        if endpoints:
            catalog.append({"endpoints": endpoints, "id": service.id, "type": service.type, "name": service.name})
    return catalog
