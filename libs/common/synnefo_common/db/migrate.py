"""alembic, one history per service: upgrade, check, and make a new revision. Synchronous: run before the service starts.

Expand, migrate, contract: a revision only adds, so that the release before goes on running on it while it is replaced. One that takes
away says `oldest_code = "0007"`: code whose newest revision is older than that does not run on this schema. What holds for a database is
kept in it (table `schema_floor`), because the older code does not know the newer revisions.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, create_engine, delete, insert, inspect, select

VERSION_TABLE = "alembic_version"
_floor = Table("schema_floor", MetaData(), Column("oldest_code", String(32), nullable=False))


class SchemaError(Exception):
    """This code does not run on this database; the message says what to do."""


def sync_url(url: str) -> str:
    """The URL for a synchronous engine (psycopg on PostgreSQL)."""
    return "postgresql+psycopg://" + url.split("://", 1)[1] if url.startswith("postgresql") else url


def _config(url: str, package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(package) / "db" / "migrations"))
    config.attributes["url"] = url
    return config


def upgrade(url: str, package: str) -> None:
    """Bring the database of `package` (e.g. `synnefo_compute`) to the newest revision."""
    command.upgrade(_config(url, package), "head")


def downgrade(url: str, package: str, revision: str) -> None:
    """Back to `revision` (tests of roll-back)."""
    command.downgrade(_config(url, package), revision)


def make_revision(url: str, package: str, message: str) -> None:
    """Write the next numbered revision from the difference between the metadata and the database at `url`."""
    config = _config(url, package)
    numbers = [int(s.revision) for s in ScriptDirectory.from_config(config).walk_revisions()]
    command.revision(config, message, autogenerate=True, rev_id=f"{max(numbers, default=0) + 1:04d}")


def head(package: str) -> str | None:
    """The newest revision that the code knows."""
    return ScriptDirectory.from_config(_config("", package)).get_current_head()


def current(url: str) -> str | None:
    """The revision of the database; None for an empty one."""
    engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def check(url: str, package: str) -> str | None:
    """Raise SchemaError unless this code runs on this database. A newer revision on which it does run is returned, else None."""
    found, wanted = current(url), head(package)
    if found == wanted:
        return None
    if found is None or wanted is None or found < wanted:
        raise SchemaError(f"the database is at revision {found}, this code needs {wanted}: run `python -m {package} migrate`")
    engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            oldest = connection.execute(select(_floor.c.oldest_code)).scalar() if inspect(connection).has_table(_floor.name) else None
    finally:
        engine.dispose()
    if oldest is None or wanted < oldest:
        raise SchemaError(
            f"the database is at revision {found}, on which code of revision {oldest or found} or newer runs; this is {wanted}: "
            "install the newer release"
        )
    return found


def oldest_code(package: str) -> str:
    """The oldest revision of code that runs on the schema of `head`. Revisions are numbers of four digits, so texts compare."""
    return _oldest_of(ScriptDirectory.from_config(_config("", package)), head(package) or "")


def _oldest_of(scripts: ScriptDirectory, revision: str) -> str:
    lineage = [script.module for script in scripts.iterate_revisions(revision, "base")]
    return max((str(getattr(module, "oldest_code", "0001")) for module in lineage), default="0001")


def _is_ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    return not (kind == "table" and name == _floor.name)


def drift(url: str, metadata: MetaData) -> list[Any]:
    """What differs between the database and the tables in code; empty after an upgrade."""
    engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection, opts={"include_object": _is_ours}), metadata))
    finally:
        engine.dispose()


def run_env(metadata: MetaData) -> None:
    """The body of every service's `db/migrations/env.py`."""
    from alembic import context

    url = context.config.attributes["url"]
    engine: Engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, target_metadata=metadata, render_as_batch=url.startswith("sqlite"), include_object=_is_ours)
            with context.begin_transaction():
                context.run_migrations()
                _write_floor(connection, context.script)
            if connection.in_transaction():  # SQLite: alembic leaves it open, since its DDL has no transactions
                connection.commit()
    finally:
        engine.dispose()


def _write_floor(connection: Connection, scripts: ScriptDirectory) -> None:
    revision = MigrationContext.configure(connection).get_current_revision()
    _floor.create(connection, checkfirst=True)
    connection.execute(delete(_floor))
    if revision is not None:
        connection.execute(insert(_floor).values(oldest_code=_oldest_of(scripts, revision)))
