"""The migrations make the tables that the code has; what the tables hold."""

from pathlib import Path

from services.compute.tests.cloud import ComputeHarness
from sqlalchemy import select

from synnefo_common.db import migrate
from synnefo_compute.db import all_tables
from synnefo_compute.db.servers import servers


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_compute")
    assert migrate.current(url) == migrate.head("synnefo_compute") == "0005"
    assert migrate.drift(url, all_tables()) == []


async def test_what_a_server_has_not_is_null_to_sql(h: ComputeHarness) -> None:
    await h.server()
    async with h.db.read() as uow:
        row = await uow.one(select(*(servers.c[name].is_(None) for name in ("fault", "old_flavor"))))
    assert row is not None
    assert list(row) == [True, True]
