"""The migrations make the tables that the code has."""

from pathlib import Path

from synnefo_common.db import migrate
from synnefo_compute.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_compute")
    assert migrate.current(url) == migrate.head("synnefo_compute") == "0004"
    assert migrate.drift(url, all_tables()) == []
