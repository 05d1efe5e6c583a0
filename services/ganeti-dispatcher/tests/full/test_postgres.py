"""The same on PostgreSQL: claims, fencing and wake-ups between processes are other code there."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from synnefo_common import crashpoint
from synnefo_common.db import migrate
from synnefo_common.testing.waiting import wait_until
from synnefo_dispatcher.db import all_tables

INFRA = Path(__file__).resolve().parents[4] / "deploy/local/infra"

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The base URL of a PostgreSQL of our own."""
    if not (INFRA / "postgres-up").exists() or not list(Path("/usr/lib").glob("postgresql/*/bin/initdb")):
        pytest.skip("PostgreSQL is not installed")
    folder = Path(f"/var/lib/synnefo/dispatcher-{os.getpid()}")
    try:
        done = subprocess.run(
            [INFRA / "postgres-up", folder], check=True, stdout=subprocess.PIPE, text=True, timeout=120,
            env={**os.environ, "PG_DURABLE": "0"},
        )  # fmt: skip
        values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        password = (folder / "run/superuser").read_text().strip()
        yield f"postgresql://synnefo:{password}@127.0.0.1:{values['PGPORT']}"
    finally:
        subprocess.run([INFRA / "postgres-down", folder], check=False, stdout=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres: str) -> str:
    """An empty database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres}/{name}"


def test_migration_leaves_no_drift(database_url: str) -> None:
    migrate.upgrade(database_url, "synnefo_dispatcher")
    assert migrate.drift(database_url, all_tables()) == []


async def test_life_of_a_server(make_cloud: Any, database_url: str, new_id: Any) -> None:
    cloud = await make_cloud("alpha", database_url=database_url)
    server_id = await cloud.server()
    name = f"snf-vol-{new_id()}"
    await cloud.done("instance.add_disk", server_id, {"disk": {"name": name, "size_mib": 64, "provider": "archipelago"}})
    await cloud.done("instance.remove_disk", server_id, {"name": name})
    await cloud.done("instance.shutdown", server_id)
    await cloud.done("instance.delete", server_id)
    assert (await cloud.h.as_admin().get("/v1/health")).json()["status"] == "ok"
    assert len((await cloud.h.as_admin().get("/v1/jobs?state=succeeded")).json()["jobs"]) == 5


async def test_adoption_after_a_crash(make_cloud: Any, database_url: str, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", database_url=database_url)
    server_id = new_id()
    crashpoint.arm("dispatcher.job.after_rapi_accepted")
    token = await cloud.ask("instance.create", server_id, params(server_id))
    await cloud.in_state(token, "submitting")
    await wait_until(lambda: cloud.clusters["alpha"].jobs(token))
    await cloud.restart()
    assert (await cloud.ended(token))[0] == "succeeded"
    assert len(await cloud.clusters["alpha"].jobs(token)) == 1


async def test_jobs_entered_by_one_process_wake_the_one_that_has_the_cluster(
    make_cloud: Any, database_url: str, new_id: Any, params: Any
) -> None:
    """With a poll of half a minute, only a notification can be so quick."""
    settings = {"database_url": database_url, "poll_s": 30.0, "lease_s": 60.0}
    one = await make_cloud("alpha", worker_name="one", **settings)
    two = type(one)(one.directory, one.clusters, {**one.settings, "worker_name": "two"})
    await two.start()
    try:
        server_id = new_id()
        token = await two.ask("instance.create", server_id, params(server_id))
        await one.in_state(token, "succeeded", timeout_s=8)
    finally:
        await two.stop()
