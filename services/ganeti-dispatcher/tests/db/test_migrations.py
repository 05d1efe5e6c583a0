"""The migrations and the tables in code agree."""

from __future__ import annotations

from pathlib import Path

from synnefo_common.db import migrate
from synnefo_dispatcher.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/dispatcher.db"
    migrate.upgrade(url, "synnefo_dispatcher")
    assert migrate.drift(url, all_tables()) == []
    assert migrate.current(url) == migrate.head("synnefo_dispatcher")
