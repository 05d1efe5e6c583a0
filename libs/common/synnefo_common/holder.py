"""Who holds a lease or a saga: named so that a process on the same machine can tell whether the holder still lives.

A lease of a dead process runs out by itself; telling makes a restart after a kill wait for nothing.
"""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

from sqlalchemy import select, update

from synnefo_common.db import Database
from synnefo_common.db.tables import leases, sagas
from synnefo_common.log import get_logger

log = get_logger(__name__)


def default_holder(db: Database) -> str:
    """Our name, at most 64 characters. SQLite has one process by design, which takes its own back at once after a restart."""
    if db.dialect == "sqlite":
        return "embedded"
    pid = os.getpid()
    return f"{_place()}:{pid}:{_started(pid)}:{db.ids.token_urlsafe(4)}"


def is_dead(holder: str) -> bool:
    """True only if the holder was a process of this place and is surely no more."""
    place, _, rest = holder.partition(":")
    if place != _place():
        return False
    pid, started, *_ = rest.split(":")
    return _started(int(pid)) != started


async def free_the_dead(db: Database) -> int:
    """Make free or due what dead processes of this machine hold; how many of them there were. For a process that starts."""
    if db.dialect == "sqlite":
        return 0
    async with db.begin() as uow:
        held = await uow.all(select(leases.c.holder).where(leases.c.expires_at > db.clock.now_us()))
        owned = await uow.all(select(sagas.c.owner).where(sagas.c.owner.is_not(None)).distinct())
        dead = sorted(name for name in {row[0] for row in [*held, *owned]} if is_dead(name))
        if dead:
            await uow.run(update(leases).where(leases.c.holder.in_(dead)).values(expires_at=0))
            await uow.run(update(sagas).where(sagas.c.owner.in_(dead)).values(next_at=0, owner=None))
            log.info("dead_holders_freed", holders=dead)
    return len(dead)


@cache
def _place() -> str:
    """This machine, boot and process namespace: where a process number means one process."""
    parts = [socket.gethostname()]
    try:
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), str(Path("/proc/self/ns/pid").readlink())]
    except OSError:
        parts.append("no proc")
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
    return f"{parts[0][:20].replace(':', '-')}-{digest}"


def _started(pid: int) -> str:
    """When the process started, in ticks since boot; "gone" if there is none. Where there is no /proc: whether there is one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return "gone"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return "there"
