"""Keypairs: import a public key, or make a pair and show the private half once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Row

from synnefo_common.errors import BadRequest, Conflict
from synnefo_compute.app.core import Compute
from synnefo_compute.db import keypairs as db
from synnefo_compute.domain.errors import KeypairNotFound

RESOURCE = "compute.key_pairs"


def fingerprint(public_key: str) -> str:
    """MD5 of the key's blob in colons, Nova's form. Raises BadRequest."""
    parts = public_key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
        length = int.from_bytes(blob[:4], "big")
        is_key = blob[4 : 4 + length].decode() == parts[0]
    except (IndexError, ValueError):  # ValueError: not base64, not text
        is_key = False
    if not is_key:
        raise BadRequest("Keypair data is invalid: failed to generate fingerprint")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def generate() -> tuple[str, str]:
    """(private PEM, public line) of a new RSA key. Takes a tenth of a second of CPU: call it in a thread."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode() + " Generated-by-Synnefo"


async def create_keypair(
    compute: Compute, name: str, public_key: str | None, *, user_id: str, project_id: str
) -> tuple[dict[str, Any], str | None]:
    """The row and, for a pair made here, its private half. Raises BadRequest, Conflict, QuotaExceeded."""
    private: str | None = None
    if public_key is None:
        private, public = await asyncio.to_thread(generate)
    else:
        public = public_key
    values = {
        "user_id": user_id, "project_id": project_id, "name": name, "fingerprint": fingerprint(public), "public_key": public,
        "created_at": compute.clock.now_us(),
    }  # fmt: skip
    async with compute.db.read() as uow:
        taken = await db.get_keypair(uow, user_id, name)
    if taken is not None:
        raise Conflict(f"Key pair '{name}' already exists.", code="compute.keypair.exists")
    async with compute.quota.reserved(project_id=project_id, user_id=user_id, provisions={RESOURCE: 1}) as commission, compute.db.begin() as uow:
        if not await db.insert_keypair(uow, values):
            raise Conflict(f"Key pair '{name}' already exists.", code="compute.keypair.exists")
        compute.quota.accept(uow, commission)
    return values, private


async def show_keypair(compute: Compute, name: str, *, user_id: str) -> Row[Any]:
    """Raises KeypairNotFound."""
    async with compute.db.read() as uow:
        row = await db.get_keypair(uow, user_id, name) if "\x00" not in name else None
    if row is None:
        raise KeypairNotFound(name, user_id)
    return row


async def list_keypairs(compute: Compute, *, user_id: str) -> Sequence[Row[Any]]:
    """All of a user's keypairs by name."""
    async with compute.db.read() as uow:
        return await db.list_keypairs(uow, user_id)


async def delete_keypair(compute: Compute, name: str, *, user_id: str) -> None:
    """Raises KeypairNotFound."""
    row = await show_keypair(compute, name, user_id=user_id)
    async with compute.db.begin() as uow:
        if not await db.delete_keypair(uow, user_id, name):
            raise KeypairNotFound(name, user_id)
        compute.quota.release(uow, project_id=row.project_id, user_id=user_id, provisions={RESOURCE: 1})
