"""Secrets of credentials at rest: encrypted with a key of the settings, or with one that lies beside the signing keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row

from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_common.errors import Unavailable
from synnefo_identity.db.credentials import credential_keys, credentials
from synnefo_identity.domain.credential import Credential

FIRST_KEY = "first"


def encrypt(cipher: MultiFernet, blob: str) -> str:
    """The blob as it is stored."""
    return cipher.encrypt(blob.encode()).decode()


def opened(cipher: MultiFernet, row: Row[Any]) -> Credential:
    """A row with its blob readable. Raises Unavailable if its key is missing, which an operator has to bring back."""
    try:
        blob = cipher.decrypt(row.blob.encode()).decode()
    except InvalidToken as error:
        raise Unavailable("The key that this credential is encrypted with is missing from the settings of identity.") from error
    return Credential(row.id, row.user_id, row.project_id, row.type, blob, row.extra)


async def load_cipher(uow: UnitOfWork, *, first: str) -> MultiFernet:
    """All keys: that of the settings first, then those of the table, the newest first."""
    rows = await uow.all(credential_keys.select().order_by(credential_keys.c.created_at.desc()))
    keys = ([first.encode()] if first else []) + [row.key for row in rows]
    if not keys:
        raise Unavailable("The identity service has no key for credentials yet; try again.")
    return MultiFernet([Fernet(key) for key in keys])


async def make_key(uow: UnitOfWork, *, now_us: int) -> None:
    """The first key, and with it all that was stored before there was one. Does nothing when the key is there."""
    key: Mapping[str, Any] = {"id": FIRST_KEY, "key": Fernet.generate_key(), "created_at": now_us}
    if not await uow.run(upsert_ignore(uow.dialect, credential_keys, key)):
        return
    cipher = MultiFernet([Fernet(key["key"])])
    for row in await uow.all(credentials.select()):
        await uow.run(credentials.update().where(credentials.c.id == row.id).values(blob=encrypt(cipher, row.blob)))
