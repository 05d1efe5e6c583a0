"""RAPI clients of the clusters, one per cluster and version of its settings, kept while they are in force."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from synnefo_dispatcher.clients.vault import Vault
from synnefo_dispatcher.rapi import PinnedHttpTransport, RapiClient


class Connections:
    """Not for deciding whom to call: whoever has a cluster's row gets its client."""

    def __init__(self, vault: Vault, *, timeout_s: float) -> None:
        self._vault = vault
        self._timeout_s = timeout_s
        self._clients: dict[str, tuple[int, RapiClient]] = {}
        self._old: list[RapiClient] = []

    def client(self, row: Row[Any]) -> RapiClient:
        """The client for this row. Raises VaultError if the password cannot be read."""
        known = self._clients.get(row.name)
        if known is not None and known[0] == row.generation:
            return known[1]
        made = self.open(row.rapi_url, row.username, self._vault.decrypt(row.password), row.certificate_pem)
        if known is not None:
            self._old.append(known[1])  # somebody may be waiting for an answer on it
        self._clients[row.name] = (row.generation, made)
        return made

    def open(self, url: str, username: str, password: str, certificate_pem: str | None) -> RapiClient:
        """A client that the caller closes. Raises ValueError for a text without certificate."""
        transport = PinnedHttpTransport(
            url, auth=(username, password), certificate_pem=certificate_pem, timeout_s=self._timeout_s
        )
        return RapiClient(transport, timeout_s=self._timeout_s)

    async def forget(self, name: str) -> None:
        """The cluster is gone."""
        known = self._clients.pop(name, None)
        if known is not None:
            await known[1].close()

    async def close(self) -> None:
        for client in [*self._old, *(client for _, client in self._clients.values())]:
            await client.close()
        self._old.clear()
        self._clients.clear()
