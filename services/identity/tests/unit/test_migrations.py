"""The migrations make the tables of the code."""

from __future__ import annotations

from pathlib import Path

from synnefo_common.db import migrate
from synnefo_identity.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/identity.db"
    migrate.upgrade(url, "synnefo_identity")
    assert migrate.current(url) == migrate.head("synnefo_identity")
    assert migrate.drift(url, all_tables()) == []
