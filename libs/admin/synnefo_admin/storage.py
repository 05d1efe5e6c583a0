"""`synnefo storage`: the block store's collector, scrub, fsck and freeze as jobs of the volume service, and its statistics."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Coroutine, Iterator
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from synnefo_admin.cloud import Cloud, CloudError, read_cloud
from synnefo_common.errors import Fault

app = typer.Typer(no_args_is_help=True, help="The block store: collect, scrub, check, freeze, count.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")
_ASK_S = 0.5
_SPACES = {"cas": "blocks", "priv": "private blocks", "page": "pages"}


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (CloudError, Fault) as error:
        sys.exit(f"synnefo: {error}")


class _Bar:
    """How far a job is, on the terminal; nothing where there is none."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("waiting for the worker", total=None)

    def show(self, job: dict[str, Any]) -> None:
        mib = f", {job['bytes'] >> 20} MiB" if job["bytes"] else ""
        text = f"{job['phase'] or 'waiting for the worker'}: {job['done']}{mib}"
        self._progress.update(self._task, description=text, completed=job["done"], total=job["total"] or None)


@contextlib.contextmanager
def _bar() -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield _Bar(progress)


async def run_job(cloud: Cloud, kind: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask for a job and wait for its end."""
    job: dict[str, Any] = (await cloud.call("volume", "POST", "/admin/v1/storage/jobs", {"kind": kind, "dry_run": dry_run}))["job"]
    with _bar() as bar:
        while job["state"] in ("queued", "running"):
            await asyncio.sleep(_ASK_S)
            job = (await cloud.call("volume", "GET", f"/admin/v1/storage/jobs/{job['id']}"))["job"]
            bar.show(job)
    return job


def _job(kind: str, *, as_json: bool, dry_run: bool = False) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with Cloud(read_cloud()) as cloud:
            return await run_job(cloud, kind, dry_run=dry_run)

    job = _run(work())
    if as_json:
        print(json.dumps(job, indent=2))
    if job["state"] != "done":
        sys.exit(f"synnefo: {kind} failed: {job['error']}")
    result: dict[str, Any] = job["result"]
    return result | {"findings": job["findings"]}


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be freed, and free nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Free what nothing refers to: condemned by one run, removed by the next."""
    result = _job("gc", as_json=as_json, dry_run=dry_run)
    if as_json:
        return
    table = Table("kind", "in use", "used lately", "condemned", "would be freed" if dry_run else "freed", "MiB")
    for space, name in _SPACES.items():
        columns = [str(result[column][space]["objects"]) for column in ("live", "young", "condemned", "freed")]
        table.add_row(name, *columns, f"{result['freed'][space]['bytes'] / 2**20:.1f}")
    Console(width=120).print(table)


def _print_damage(rows: list[dict[str, str]], count: int) -> None:
    for row in rows:
        print(f"{row['object']}: {row['why']}")
    if count > len(rows):
        print(f"… and {count - len(rows)} more")


@app.command()
def scrub(as_json: AsJson = False) -> None:
    """Read everything that is stored and verify it. Exit code 1 if something is damaged."""
    result = _job("scrub", as_json=as_json)
    if not as_json:
        _print_damage(result["damaged"], result["damaged_count"])
        print(f"scrub: {result['objects']} objects, {result['records']} records, {result['bytes'] >> 20} MiB: {result['damaged_count']} damaged")
    sys.exit(1 if result["findings"] else 0)


@app.command()
def fsck(as_json: AsJson = False) -> None:
    """Compare what is referred to with what is there. Exit code 1 if something is missing or unreadable."""
    result = _job("fsck", as_json=as_json)
    if not as_json:
        for name in result["missing"]:
            print(f"missing: {name}")
        for row in result["unreadable"]:
            print(f"unreadable: {row['what']}: {row['why']}")
        for row in result["hurt"]:
            print(f"hurt: {row['owner']} {row['id']}, by {row['object']}")
        print(
            f"fsck: {result['roots']} roots, {result['missing_count']} objects missing, {len(result['unreadable'])} unreadable; "
            f"{result['orphan_count']} orphans of {result['orphan_bytes'] >> 20} MiB, {result['young_count']} uploads under way"
        )
    sys.exit(1 if result["findings"] else 0)


@app.command()
def freeze(as_json: AsJson = False) -> None:
    """Turn the private blocks of snapshots into shared ones now."""
    result = _job("freeze", as_json=as_json)
    if not as_json:
        print(f"freeze: {result['frozen']} roots frozen, {result['gone']} gone meanwhile")


@app.command()
def stats(as_json: AsJson = False) -> None:
    """What is stored, counted now."""

    async def work() -> Any:
        async with Cloud(read_cloud()) as cloud:
            return (await cloud.call("volume", "GET", "/admin/v1/storage/stats"))["stats"]

    found = _run(work())
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("what", "count")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), str(value))
    Console(width=80).print(table)
