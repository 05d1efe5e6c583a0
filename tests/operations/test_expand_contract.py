"""Every revision that does not say otherwise leaves room for the code before it: it takes nothing away and demands nothing new."""

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from synnefo_common.db import migrate
from synnefo_common.settings import SERVICES

Columns = dict[tuple[str, str], dict[str, Any]]


def columns_of(url: str) -> Columns:
    engine = create_engine(url)
    try:
        found = inspect(engine)
        return {(table, column["name"]): dict(column) for table in found.get_table_names() for column in found.get_columns(table)}
    finally:
        engine.dispose()


@pytest.mark.parametrize("service", SERVICES)
def test_revisions_expand_or_name_the_code_that_they_leave_behind(service: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    config = migrate._config(url, f"synnefo_{service}")
    before: Columns = {}
    for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        command.upgrade(config, script.revision)
        after = columns_of(url)
        if before and not hasattr(script.module, "oldest_code"):
            assert set(before) - set(after) == set(), f"{script.revision} takes away"
            tables = {table for table, _ in before}
            for (table, name), column in after.items():
                if table in tables and (table, name) not in before:
                    assert column["nullable"] or column["default"] is not None, f"{script.revision}: {table}.{name} is demanded of older code"
        before = after
    assert migrate.oldest_code(f"synnefo_{service}") <= str(migrate.head(f"synnefo_{service}"))
