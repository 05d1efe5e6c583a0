"""A service starts on its own schema and, while it is replaced, on the next one that only adds; on no other."""

import sys
from pathlib import Path

import pytest

from synnefo_common.db import migrate

ENV = """
from sqlalchemy import MetaData
from synnefo_common.db.migrate import run_env
run_env(MetaData())
"""


def revision(number: int, *, oldest_code: str | None = None) -> str:
    before = repr(f"{number - 1:04d}") if number > 1 else None
    floor = f"oldest_code = {oldest_code!r}\n" if oldest_code else ""
    return (
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = '{number:04d}'\ndown_revision = {before}\n{floor}"
        f"def upgrade():\n    op.create_table('t{number}', sa.Column('id', sa.Integer, primary_key=True))\n"
        f"def downgrade():\n    op.drop_table('t{number}')\n"
    )


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """`release("name", [revision texts])`: a package with these migrations."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, revisions: list[str]) -> str:
        versions = tmp_path / name / "db" / "migrations" / "versions"
        versions.mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("")
        (versions.parent / "env.py").write_text(ENV)
        for number, text in enumerate(revisions, 1):
            (versions / f"{number:04d}.py").write_text(text)
        sys.modules.pop(name, None)
        return name

    return make


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/x.db"


def test_the_release_before_starts_on_a_schema_that_was_expanded(release, url: str) -> None:  # type: ignore[no-untyped-def]
    old = release("release_one", [revision(1)])
    new = release("release_two", [revision(1), revision(2)])
    migrate.upgrade(url, new)
    assert migrate.check(url, new) is None
    assert migrate.check(url, old) == "0002"


def test_code_older_than_what_a_contraction_names_is_refused(release, url: str) -> None:  # type: ignore[no-untyped-def]
    first = release("release_a", [revision(1)])
    second = release("release_b", [revision(1), revision(2)])
    third = release("release_c", [revision(1), revision(2), revision(3, oldest_code="0002"), revision(4)])
    migrate.upgrade(url, third)
    assert migrate.check(url, second) == "0004"
    with pytest.raises(migrate.SchemaError, match="0002 or newer runs"):
        migrate.check(url, first)
    migrate.downgrade(url, third, "0002")
    assert migrate.check(url, first) == "0002"


def test_code_newer_than_the_database_is_refused_until_it_is_migrated(release, url: str) -> None:  # type: ignore[no-untyped-def]
    old = release("release_x", [revision(1)])
    new = release("release_y", [revision(1), revision(2)])
    for _ in range(2):
        with pytest.raises(migrate.SchemaError, match="run `python -m release_y migrate`"):
            migrate.check(url, new)
        migrate.upgrade(url, old)
    migrate.upgrade(url, new)
    assert migrate.check(url, new) is None


def test_a_newer_database_that_says_nothing_of_older_code_is_refused(release, url: str) -> None:  # type: ignore[no-untyped-def]
    from sqlalchemy import create_engine, text

    old = release("release_m", [revision(1)])
    new = release("release_n", [revision(1), revision(2)])
    migrate.upgrade(url, new)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE schema_floor"))
    engine.dispose()
    with pytest.raises(migrate.SchemaError, match="install the newer release"):
        migrate.check(url, old)
