"""The migrations make the tables that the code has."""

from pathlib import Path

from sqlalchemy import create_engine, text

from synnefo_common.db import migrate
from synnefo_volume.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_volume")
    assert migrate.current(url) == migrate.head("synnefo_volume") == "0004"
    assert migrate.drift(url, all_tables()) == []


def test_storage_jobs_from_before_pools_are_of_the_store_of_all_services(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_volume")
    migrate.downgrade(url, "synnefo_volume", "0003")
    engine = create_engine(url)
    with engine.begin() as connection:
        columns = "id, kind, dry_run, state, done, total, bytes, findings, created_at"
        job = f"INSERT INTO storage_jobs ({columns}) VALUES ('1', 'gc', false, 'done', 0, 0, 0, 0, 1)"
        connection.execute(text(job))
    migrate.upgrade(url, "synnefo_volume")
    with engine.begin() as connection:
        assert [row.pool for row in connection.execute(text("SELECT pool FROM storage_jobs"))] == [""]
    engine.dispose()
