"""The migrations make exactly the tables of the code."""

from pathlib import Path

from sqlalchemy import create_engine, text

from synnefo_common.db import migrate
from synnefo_object.db import all_tables


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_object")
    assert migrate.current(url) == migrate.head("synnefo_object") is not None
    assert migrate.drift(url, all_tables()) == []


def test_what_was_before_storage_policies_is_in_the_store_of_all_services(tmp_path: Path, database_url: str) -> None:
    """And revisions 0007 and 0008 can be taken back: held blocks with names that are too long then are forgotten."""
    url = database_url if database_url.startswith("postgres") else f"sqlite:///{tmp_path}/db"
    migrate.upgrade(url, "synnefo_object")
    migrate.downgrade(url, "synnefo_object", "0006")
    engine = create_engine(migrate.sync_url(url))
    held = text("INSERT INTO held_blocks (holder, hash, size, source, added_us) VALUES (:holder, :hash, 1, 0, 1)")
    rows = text("SELECT c.policy, o.pool, h.holder FROM containers c JOIN objects o ON o.container_id = c.id CROSS JOIN held_blocks h")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO accounts (id, project_id, headers, created_us, bytes_reported) VALUES (1, 'p', '{}', 1, 0)"))
        connection.execute(text("INSERT INTO containers (id, account_id, name, headers, created_us, modified_us) VALUES (1, 1, 'c', '{}', 1, 1)"))
        connection.execute(
            text(
                "INSERT INTO objects (container_id, name, root, size, etag, content_type, headers, created_us, modified_us, kind)"
                " VALUES (1, 'o', :root, 1, 'e', 't', '{}', 1, 1, 0)"
            ),
            {"root": b"root"},
        )
        connection.execute(held, {"holder": "p", "hash": b"h"})
    migrate.upgrade(url, "synnefo_object")
    with engine.begin() as connection:
        assert [tuple(row) for row in connection.execute(rows)] == [("", "", "p")]
        connection.execute(held, {"holder": "x" * 200, "hash": b"h"})
    migrate.downgrade(url, "synnefo_object", "0006")
    with engine.begin() as connection:
        assert [row.holder for row in connection.execute(text("SELECT holder FROM held_blocks"))] == ["p"]
    engine.dispose()
