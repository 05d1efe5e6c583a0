"""alembic, one history per service: upgrade, check, and make a new revision. Synchronous: run before the service starts."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine

VERSION_TABLE = "alembic_version"


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


def drift(url: str, metadata: MetaData) -> list[Any]:
    """What differs between the database and the tables in code; empty after an upgrade."""
    engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), metadata))
    finally:
        engine.dispose()


def run_env(metadata: MetaData) -> None:
    """The body of every service's `db/migrations/env.py`."""
    from alembic import context

    url = context.config.attributes["url"]
    engine: Engine = create_engine(sync_url(url))
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, target_metadata=metadata, render_as_batch=url.startswith("sqlite"))
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()
