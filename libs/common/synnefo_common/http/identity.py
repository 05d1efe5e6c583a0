"""Identity as seen by the others: public keys and the revocation log."""

from __future__ import annotations

from typing import Any

from synnefo_common.errors import Unavailable
from synnefo_common.http.client import HttpClient, ServiceIdentity
from synnefo_common.settings import CommonSettings


class IdentityKeys:
    """`auth.KeySource` and `auth.RevocationSource` over HTTP."""

    def __init__(self, common: CommonSettings, http: HttpClient, identity: ServiceIdentity) -> None:
        self._base = common.internal_urls["identity"] + "/internal/v1"
        self._http = http
        self._identity = identity

    async def fetch_keys(self) -> dict[str, str]:
        """See `auth.KeySource`. Raises Unavailable."""
        answer = await self._http.request("GET", f"{self._base}/keys", timeout_s=5)
        if answer.status != 200:
            raise Unavailable(f"identity answered {answer.status} for its keys")
        return {key["kid"]: key["x"] for key in answer.json()["keys"]}

    async def fetch_revocations(self, after: int, wait_s: float) -> dict[str, Any]:
        """See `auth.RevocationSource`. Raises Unavailable."""
        token = await self._identity.token()
        answer = await self._http.request(
            "GET", f"{self._base}/revocations?after={after}&wait={wait_s:g}", headers={"X-Auth-Token": token}, timeout_s=wait_s + 10
        )
        if answer.status == 401:
            self._identity.forget(token)
        if answer.status != 200:
            raise Unavailable(f"identity answered {answer.status} for its revocation log")
        found: dict[str, Any] = answer.json()
        return found
