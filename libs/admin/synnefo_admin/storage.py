"""`synnefo storage`: the block store's collector, scrub, fsck and freeze as jobs of the volume service, its statistics, and the import
of what an original Synnefo has."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from synnefo_admin import importing
from synnefo_admin.cloud import Cloud, read_cloud, run

app = typer.Typer(no_args_is_help=True, help="The block store: collect, scrub, check, freeze, count.")
PoolName = Annotated[
    str | None, typer.Option("--pool", help='Only this storage policy\'s pool; "" is the store of all services. Default: all pools.')
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ASK_S = 0.5
_SPACES = {"cas": "blocks", "priv": "private blocks", "page": "pages"}


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


async def run_job(cloud: Cloud, kind: str, *, pool: str = "", dry_run: bool = False) -> dict[str, Any]:
    """Ask for a job and wait for its end."""
    body = {"kind": kind, "dry_run": dry_run} | ({"pool": pool} if pool else {})
    job: dict[str, Any] = (await cloud.call("volume", "POST", "/admin/v1/storage/jobs", body))["job"]
    with _bar() as bar:
        while job["state"] in ("queued", "running"):
            await asyncio.sleep(_ASK_S)
            job = (await cloud.call("volume", "GET", f"/admin/v1/storage/jobs/{job['id']}"))["job"]
            bar.show(job)
    return job


async def _pools(cloud: Cloud, wanted: str | None) -> list[str]:
    if wanted is not None:
        return [wanted.lower()]
    pools: list[str] = (await cloud.call("volume", "GET", "/admin/v1/storage/pools"))["pools"]
    return pools


def _print_json(found: dict[str, Any]) -> None:
    """That of the store of all services, or of the one pool asked for; those of further pools are in it, by name."""
    first, *others = found.items()
    print(json.dumps(first[1] | ({"pools": dict(others)} if others else {}), indent=2))


def _jobs(kind: str, *, pool: str | None, as_json: bool, dry_run: bool = False) -> dict[str, dict[str, Any]]:
    """The results by pool."""

    async def work() -> dict[str, dict[str, Any]]:
        async with Cloud(read_cloud()) as cloud:
            return {name: await run_job(cloud, kind, pool=name, dry_run=dry_run) for name in await _pools(cloud, pool)}

    jobs = run(work())
    if as_json:
        _print_json(jobs)
    failed = [f"{kind}{_of(name)} failed: {job['error']}" for name, job in jobs.items() if job["state"] != "done"]
    if failed:
        sys.exit("synnefo: " + "; ".join(failed))
    return {name: job["result"] | {"findings": job["findings"]} for name, job in jobs.items()}


def _of(pool: str) -> str:
    return f" of pool {pool}" if pool else ""


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be freed, and free nothing.")] = False,
    pool: PoolName = None,
    as_json: AsJson = False,
) -> None:
    """Free what nothing refers to: condemned by one run, removed by the next."""
    for where, result in _jobs("gc", pool=pool, as_json=as_json, dry_run=dry_run).items():
        if as_json:
            continue
        table = Table("kind", "in use", "used lately", "condemned", "would be freed" if dry_run else "freed", "MiB", title=where and f"pool {where}")
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
def scrub(pool: PoolName = None, as_json: AsJson = False) -> None:
    """Read everything that is stored and verify it. Exit code 1 if something is damaged."""
    results = _jobs("scrub", pool=pool, as_json=as_json)
    for where, result in results.items():
        if not as_json:
            _print_damage(result["damaged"], result["damaged_count"])
            counts = f"{result['objects']} objects, {result['records']} records, {result['bytes'] >> 20} MiB"
            print(f"scrub{_of(where)}: {counts}: {result['damaged_count']} damaged")
    sys.exit(1 if any(result["findings"] for result in results.values()) else 0)


@app.command()
def fsck(pool: PoolName = None, as_json: AsJson = False) -> None:
    """Compare what is referred to with what is there. Exit code 1 if something is missing or unreadable."""
    results = _jobs("fsck", pool=pool, as_json=as_json)
    for where, result in results.items():
        if not as_json:
            _print_fsck(where, result)
    sys.exit(1 if any(result["findings"] for result in results.values()) else 0)


def _print_fsck(where: str, result: dict[str, Any]) -> None:
    for name in result["missing"]:
        print(f"missing: {name}")
    for row in result["unreadable"]:
        print(f"unreadable: {row['what']}: {row['why']}")
    for row in result["hurt"]:
        print(f"hurt: {row['owner']} {row['id']}, by {row['object']}")
    print(
        f"fsck{_of(where)}: {result['roots']} roots, {result['missing_count']} objects missing, {len(result['unreadable'])} unreadable; "
        f"{result['orphan_count']} orphans of {result['orphan_bytes'] >> 20} MiB, {result['young_count']} uploads under way"
    )


@app.command()
def freeze(as_json: AsJson = False) -> None:
    """Turn the private blocks of snapshots into shared ones now."""
    result = _jobs("freeze", pool="", as_json=as_json)[""]
    if not as_json:
        print(f"freeze: {result['frozen']} roots frozen, {result['gone']} gone meanwhile")


@app.command()
def stats(pool: PoolName = None, as_json: AsJson = False) -> None:
    """What is stored, counted now."""

    async def work() -> Any:
        async with Cloud(read_cloud()) as cloud:
            pools = await _pools(cloud, pool)
            path = "/admin/v1/storage/stats"
            return {name: (await cloud.call("volume", "GET", path + (f"?pool={quote(name)}" if name else "")))["stats"] for name in pools}

    found = run(work())
    if as_json:
        _print_json(found)
        return
    for where, counts in found.items():
        table = Table("what", "count", title=where and f"pool {where}")
        for name, value in counts.items():
            table.add_row(name.replace("_", " "), str(value))
        Console(width=80).print(table)


@app.command("import")
def import_(
    list_file: Annotated[Path, typer.Argument(metavar="LIST", help=f"CSV: {', '.join(importing.COLUMNS)}; more columns: properties of images.")],
    maps: Annotated[str, typer.Option(help="The old pool of maps: file:///directory or rados:///ceph.conf?pool=NAME&user=admin.")],
    blocks: Annotated[str, typer.Option(help="The old pool of blocks, likewise.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read the maps.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take images and objects of an original Synnefo over. Repeating it goes on where it was. Exit code 1 if something failed."""

    async def work() -> list[importing.Outcome]:
        lines = importing.read_list(list_file)
        pools = importing.open_pools(maps, blocks)
        outcomes = []
        columns = (TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
        async with Cloud(read_cloud()) as cloud:
            with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
                task = progress.add_task("importing", total=None)
                found = importing.take_over(cloud, pools, lines, dry_run=dry_run, on_bytes=lambda n: progress.advance(task, n))
                async for outcome in found:
                    outcomes.append(outcome)
                    progress.update(task, description=f"{len(outcomes)} of {len(lines)}")
                    if not as_json:
                        print(f"{outcome.state}: {outcome.kind} {outcome.name} ({outcome.map}), {outcome.size} bytes {outcome.why}".rstrip())
        return outcomes

    outcomes = run(work())
    if as_json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    sys.exit(1 if any(outcome.state == "failed" for outcome in outcomes) else 0)
