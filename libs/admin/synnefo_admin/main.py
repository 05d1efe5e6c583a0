"""`synnefo`: the operator's command."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from synnefo_admin import audit as audit_rules
from synnefo_admin import cluster, network, reconcile, storage
from synnefo_admin.cloud import Cloud, read_cloud, run
from synnefo_common.settings import SettingsError, build_section, check_section_names, installed_sections, read_files, show_value

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run and look after a Synnefo cloud.", pretty_exceptions_enable=False)
settings_app = typer.Typer(no_args_is_help=True, help="What can be set, and what is.")
app.add_typer(settings_app, name="settings")
app.add_typer(cluster.app, name="cluster")
app.add_typer(storage.app, name="storage")
app.add_typer(network.network_app, name="network")
app.add_typer(network.address_app, name="address")
app.command("reconcile")(reconcile.reconcile)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


async def _gather() -> audit_rules.Facts:
    async with Cloud(read_cloud()) as cloud:
        answers = await asyncio.gather(*(cloud.call(service, "GET", "/admin/v1/audit") for service in cloud.services))
        return dict(zip(cloud.services, answers, strict=True))


async def _fsck() -> list[audit_rules.Finding]:
    async with Cloud(read_cloud()) as cloud:
        return audit_rules.check_fsck(await storage.run_job(cloud, "fsck"))


async def _audit(settle_s: float, history: list[dict[str, Any]]) -> list[audit_rules.Finding]:
    def check(facts: audit_rules.Facts) -> list[audit_rules.Finding]:
        return audit_rules.check(facts) + audit_rules.check_history(history, facts)

    findings = check(await _gather())
    deadline = asyncio.get_running_loop().time() + settle_s
    while findings and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(1.0)
        findings = audit_rules.settled(findings, check(await _gather()))
    return findings


@app.command()
def audit(
    as_json: AsJson = False,
    settle: Annotated[float, typer.Option(help="Seconds within which work under way may end before it counts as a finding.")] = 15.0,
    with_storage: Annotated[bool, typer.Option("--storage", help="Survey the whole block store, too: it takes its time.")] = False,
    history: Annotated[
        Path | None, typer.Option(help='What a client was told, a JSON line each: {"did": "create" or "delete", "kind": "server", "id": …}.')
    ] = None,
) -> None:
    """Check the invariants of the running cloud. Exit code 1 if one is violated."""
    told = [json.loads(line) for line in history.read_text().splitlines() if line.strip()] if history else []
    findings = run(_audit(settle, told))
    if with_storage:
        findings += run(_fsck())
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=2))
    elif not findings:
        print("audit: no findings")
    else:
        table = Table("invariant", "finding", "subject", "text")
        for finding in findings:
            table.add_row(str(finding.invariant), finding.code, finding.subject, finding.text)
        Console(width=200).print(table)
    sys.exit(1 if findings else 0)


@settings_app.command("list")
def settings_list() -> None:
    """Every setting of the installed components with its default and meaning."""
    table = Table("setting", "default", "meaning")
    for section, cls in installed_sections().items():
        for key, field in cls.model_fields.items():
            if key != "common":
                default = "" if field.is_required() else repr(field.get_default(call_default_factory=True))
                table.add_row(f"{section}.{key}", default[:60], field.description or "")
    Console(width=200).print(table)


@settings_app.command("check")
def settings_check() -> None:
    """Read the settings as the services do; exit code 1 and the name of the first wrong one."""
    try:
        values = read_files()
        check_section_names(values)
        for section, cls in installed_sections().items():
            build_section(cls, values.get(section, {}))
    except SettingsError as error:
        sys.exit(f"synnefo: {error}")
    print("settings: all good")


@settings_app.command("show")
def settings_show() -> None:
    """What the files say, secrets hidden."""
    for section, table in read_files().items():
        for key, value in table.items():
            print(f"{section}.{key} = {show_value(key, value)}")


if __name__ == "__main__":
    app()
