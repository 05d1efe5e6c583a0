"""Answers kept by idempotency key, so that a repeated POST or PUT gets the first answer and has no second effect.

    async with db.begin() as uow:
        if stored := await idempotent(uow, key, request_hash("POST", path, body)):
            return answer(stored.body, stored.status)
        …the effect…
        await remember(uow, key, 201, document)

The reservation, the effect and the answer are one transaction: a failure leaves nothing, and the repeat is judged anew.
`run_once` does all of it. Keys are made by our own services (`<saga id>:<step>`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, select, update

from synnefo_common.clock import MICROS
from synnefo_common.db import Database, UnitOfWork
from synnefo_common.db.sql import insert_for
from synnefo_common.db.tables import idempotency
from synnefo_common.errors import Conflict, Unprocessable


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first call answered."""

    status: int
    body: Any
    is_repeat: bool = True


def request_hash(method: str, path: str, body: Any) -> str:
    """A digest of what was asked: the same key with another request is the caller's mistake."""
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{method} {path} ".encode() + text).hexdigest()


async def idempotent(uow: UnitOfWork, key: str | None, digest: str) -> StoredAnswer | None:
    """None for the first call of the key (or without a key): go on, and `remember`. Otherwise the first call's answer.

    Raises Unprocessable if the key was used for another request, Conflict if its first call left no answer.
    """
    if key is None:
        return None
    row = {"key": key, "request_hash": digest, "created_at": uow.db.clock.now_us()}
    if await uow.run(insert_for(uow.dialect, idempotency).on_conflict_do_nothing(), row):
        return None
    found = await uow.one(
        select(idempotency.c.request_hash, idempotency.c.status, idempotency.c.body).where(idempotency.c.key == key)
    )
    if found is None or (found.request_hash == digest and found.status is None):
        raise Conflict("A request with this idempotency key is under way.", code="idempotency.under_way")
    if found.request_hash != digest:
        raise Unprocessable("This idempotency key was used for another request.", code="idempotency.other_request")
    return StoredAnswer(found.status, orjson.loads(found.body))


async def remember(uow: UnitOfWork, key: str | None, status: int, body: Any = None) -> None:
    """Keep the answer of the first call. Nothing without a key."""
    if key is not None:
        text = orjson.dumps(body).decode()
        await uow.run(update(idempotency).where(idempotency.c.key == key).values(status=status, body=text))


async def run_once(
    db: Database, key: str | None, digest: str, work: Callable[[UnitOfWork], Awaitable[tuple[int, Any]]]
) -> StoredAnswer:
    """`work(uow)` gives (status, document); run it once for the key. Raises as `idempotent`, and what `work` raises."""

    async def whole(uow: UnitOfWork) -> StoredAnswer:
        stored = await idempotent(uow, key, digest)
        if stored is not None:
            return stored
        status, body = await work(uow)
        await remember(uow, key, status, body)
        return StoredAnswer(status, body, is_repeat=False)

    return await db.run(whole)


class AnsweredBefore(Exception):
    """The key has an answer: nothing of this transaction may stay."""


async def keep_answer(uow: UnitOfWork, key: str | None, digest: str, *, status: int, body: Any) -> None:
    """`idempotent` and `remember` in one statement, at the end of the work: the first call's price is one INSERT.

    Raises AnsweredBefore, which undoes what the repeat did. `answer_once` puts it to use.
    """
    if key is not None:
        now, text = uow.db.clock.now_us(), orjson.dumps(body).decode()
        row = {"key": key, "request_hash": digest, "status": status, "body": text, "created_at": now}
        if not await uow.run(insert_for(uow.dialect, idempotency).on_conflict_do_nothing(), row):
            raise AnsweredBefore(key)


async def answer_once(
    db: Database, key: str | None, digest: str, work: Callable[[], Awaitable[StoredAnswer]]
) -> StoredAnswer:
    """`work()` does all in one transaction that ends with `keep_answer`. A repeat, which may fail in any way on what the first
    call left behind, gets the first call's answer.

    Raises Unprocessable if the key was used for another request, and what `work` raises.
    """
    try:
        return await work()
    except Exception:
        if key is None:
            raise
        async with db.read() as uow:
            query = select(idempotency.c.request_hash, idempotency.c.status, idempotency.c.body)
            found = await uow.one(query.where(idempotency.c.key == key))
        if found is None or found.status is None:
            raise
        if found.request_hash != digest:
            raise Unprocessable(
                "This idempotency key was used for another request.", code="idempotency.other_request"
            ) from None
        return StoredAnswer(found.status, orjson.loads(found.body))


async def prune(uow: UnitOfWork, *, older_than_s: float = 7 * 24 * 3600) -> int:
    """Forget answers given long ago; how many."""
    before = uow.db.clock.now_us() - int(older_than_s * MICROS)
    return await uow.run(delete(idempotency).where(idempotency.c.created_at < before))
