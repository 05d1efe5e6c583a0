"""Copies one service's database into a file and back. Not for the blocks of images and volumes: those have the block store's own ways.

A copy is of one moment. The services' copies are of slightly different ones while the cloud runs; after a restore the reconcilers bring
them together, and `synnefo audit` says what they could not.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url


class BackupError(Exception):
    """It did not work; the message says why."""


def backup_file(url: str, directory: Path, service: str) -> Path:
    """Where the copy of a service's database lies in a directory of copies."""
    return directory / f"{service}.{'sqlite3' if url.startswith('sqlite') else 'dump'}"


def backup(url: str, path: Path) -> None:
    """Copy the database; the service may run. The file appears when it is complete."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL, 0o600))  # it holds password hashes and keys
    if url.startswith("sqlite"):
        source = Path(url.removeprefix("sqlite:///"))
        if not source.is_file():
            raise BackupError(f"there is no database {source}")
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(unfinished)) as copy:
            live.backup(copy)
    else:
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}")
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def restore(url: str, path: Path) -> None:
    """Replace what is in the database with the copy, all or nothing. The service must not run."""
    if not path.is_file():
        raise BackupError(f"there is no copy {path}")
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path)) as copy:
            if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise BackupError(f"{path} is damaged")
            with closing(sqlite3.connect(Path(url.removeprefix("sqlite:///")))) as live:
                copy.backup(live)
    else:
        # Tables that a newer release has added are not in the copy: the schema is made anew, in the same transaction.
        clear = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
        script = subprocess.run(
            [_tool("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "--file=-", str(path)], capture_output=True, check=False
        )
        if script.returncode:
            raise BackupError(f"{path} cannot be read: {script.stderr.decode(errors='replace').strip()}")
        statements = clear.encode() + b"\n" + script.stdout
        _run("psql", url, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null", text=statements)


def _run(tool: str, url: str, *arguments: str, text: bytes | None = None) -> None:
    parsed = make_url(url)
    env = {**os.environ, "PGPASSWORD": str(parsed.password or "")}  # never on the command line, which others can read
    where = ["--host", parsed.host or "", "--port", str(parsed.port or 5432), "--username", parsed.username or ""]
    done = subprocess.run([_tool(tool), *where, f"--dbname={parsed.database}", *arguments], env=env, input=text, capture_output=True, check=False)
    if done.returncode:
        raise BackupError(f"{tool}: {done.stderr.decode(errors='replace').strip()}")


def _tool(name: str) -> str:
    """Newest first, where Debian keeps several versions side by side."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    if found[0] is None:
        raise BackupError(f"{name} is not installed (Debian: postgresql-client)")
    return str(found[0])
