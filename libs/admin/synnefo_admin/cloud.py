"""A cloud as the operator's command sees it: logged in by `clouds.yaml`, endpoints from the catalogue, admin APIs only."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import yaml

from synnefo_common.errors import Fault
from synnefo_common.http import HttpAnswer, HttpClient

T = TypeVar("T")

# Service → type in the catalogue, and what to cut off its URL to reach the root.
TYPES = {
    "identity": "identity", "compute": "compute", "network": "network", "image": "image", "volume": "block-storage", "object": "object-store",
    "dispatcher": "ganeti-dispatcher",
}  # fmt: skip


class CloudError(Exception):
    """The cloud cannot be used; the message says what to do."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """A command's work; its error ends the process in one line."""
    try:
        return asyncio.run(work)
    except (CloudError, Fault) as error:
        sys.exit(f"synnefo: {error}")


def read_cloud(name: str | None = None) -> dict[str, Any]:
    """The entry of `clouds.yaml` (OS_CLIENT_CONFIG_FILE, ., ~/.config/openstack, /etc/openstack). Raises CloudError."""
    wanted = name or os.environ.get("OS_CLOUD") or "admin"
    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(given)] if given else [Path(), Path("~/.config/openstack").expanduser(), Path("/etc/openstack")]
    for place in places:
        path = place if place.suffix else place / "clouds.yaml"
        if path.is_file():
            clouds = (yaml.safe_load(path.read_text()) or {}).get("clouds", {})
            if wanted not in clouds:
                raise CloudError(f"{path} has no cloud {wanted!r}: set OS_CLOUD to one of {', '.join(sorted(clouds))}")
            return dict(clouds[wanted])
    raise CloudError("no clouds.yaml found: set OS_CLIENT_CONFIG_FILE, e.g. by `source .synnefo/openrc`")


def refusal(method: str, path: str, answer: HttpAnswer) -> CloudError:
    """What a service said, as an error."""
    return CloudError(f"{method} {path}: {answer.status} {answer.body[:300].decode(errors='replace')}")


class Cloud:
    """One login. `async with Cloud(read_cloud()) as cloud`."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._auth = config["auth"]
        self._http = HttpClient(ca_file=config.get("cacert"))
        self._token = ""
        self._roots: dict[str, str] = {}

    async def __aenter__(self) -> Cloud:
        auth = self._auth
        user = {
            "name": auth["username"], "password": auth["password"],
            "domain": {"name": auth.get("user_domain_name", "Default")},
        }  # fmt: skip
        scope = {"project": {"name": auth["project_name"], "domain": {"name": auth.get("project_domain_name", "Default")}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = await self._http.request("POST", auth["auth_url"].rstrip("/") + "/auth/tokens", json=body)
        if answer.status != 201:
            raise CloudError(f"cannot log in at {auth['auth_url']}: {answer.status} {answer.body[:200].decode(errors='replace')}")
        self._token = answer.headers["x-subject-token"]
        for entry in answer.json()["token"]["catalog"]:
            for endpoint in entry["endpoints"]:
                if endpoint["interface"] in ("admin", "public"):
                    for service, kind in TYPES.items():
                        if entry["type"] == kind:
                            self._roots[service] = root_of(endpoint["url"])
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.close()

    @property
    def services(self) -> list[str]:
        """The services that the catalogue shows."""
        return sorted(self._roots)

    async def call(self, service: str, method: str, path: str, json: Any = None) -> Any:
        """The parsed answer. Raises CloudError with what the service says."""
        answer = await self.ask(service, method, path, json=json)
        if answer.status >= 300:
            raise refusal(method, path, answer)
        return answer.json() if answer.body else None

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        content_type: str = "application/octet-stream",
    ) -> HttpAnswer:
        """The answer, whatever its status; `content_type` is that of `content`. Raises CloudError."""
        if service not in self._roots:
            raise CloudError(f"the catalogue has no {service} service")
        headers = {"X-Auth-Token": self._token} | ({"Content-Type": content_type} if content is not None else {})
        return await self._http.request(method, self._roots[service] + path, headers=headers, json=json, content=content, timeout_s=120)


def root_of(url: str) -> str:
    """Where a service begins: the endpoint without its version and what follows; a gateway's path before it stays."""
    return re.sub(r"(://[^/]+(?:/.*?)?)/v\d.*$", r"\1", url).rstrip("/")
