"""Real parts for tests, private to a test run, started by deploy/local/infra: RabbitMQ and PostgreSQL."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import psycopg

INFRA = Path(__file__).resolve().parents[3] / "deploy/local/infra"


def missing(script: str, program: str, package: str) -> str | None:
    """Why a part cannot be started here."""
    if not (INFRA / script).exists():
        return f"deploy/local/infra/{script} is not in this checkout"
    if not list(Path("/usr/lib").glob(program)):
        return f"the Debian package {package} is not installed"
    return None


def _up(script: str, folder: Path, **environment: str) -> dict[str, str]:
    done = subprocess.run(
        [INFRA / script, folder],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


class Broker:
    """A RabbitMQ that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.pid = 0

    def up(self) -> None:
        values = _up("rabbitmq-up", self.folder)
        self.url, self.pid = values["AMQP_URL"].strip("'\""), int(values["PID_rabbitmq"])

    def down(self) -> None:
        subprocess.run([INFRA / "rabbitmq-down", self.folder], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def ctl(self, *arguments: str) -> None:
        command = f'. "{self.folder}/env"; exec /usr/lib/rabbitmq/bin/rabbitmqctl "$@"'
        subprocess.run(
            ["bash", "-c", command, "ctl", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            timeout=60,
        )


class Postgres:
    """A PostgreSQL cluster without fsync; each test has a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()
        self._base = ""

    def up(self) -> None:
        values = _up("postgres-up", self.folder, PG_DURABLE="0")
        password = (self.folder / "run/superuser").read_text().strip()
        self._base = f"postgresql://synnefo:{password}@127.0.0.1:{values['PGPORT']}"

    def down(self) -> None:
        subprocess.run([INFRA / "postgres-down", self.folder], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{next(self._numbers)}"
        with psycopg.connect(f"{self._base}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self._base}/{name}"
