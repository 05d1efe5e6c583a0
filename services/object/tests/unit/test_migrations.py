"""The migrations make exactly the tables of the code."""

from pathlib import Path

from synnefo_common.db import migrate
from synnefo_object.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_object")
    assert migrate.current(url) == migrate.head("synnefo_object") is not None
    assert migrate.drift(url, all_tables()) == []
