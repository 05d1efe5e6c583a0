"""`synnefo`: the operator's command."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from synnefo_admin import audit as audit_rules
from synnefo_admin import network, storage
from synnefo_admin.cloud import Cloud, CloudError, read_cloud
from synnefo_common.errors import Fault
from synnefo_common.settings import SettingsError, build_section, check_section_names, installed_sections, read_files

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run and look after a Synnefo cloud.", pretty_exceptions_enable=False)
settings_app = typer.Typer(no_args_is_help=True, help="What can be set, and what is.")
cluster_app = typer.Typer(no_args_is_help=True, help="Ganeti clusters.")
app.add_typer(settings_app, name="settings")
app.add_typer(cluster_app, name="cluster")
app.add_typer(storage.app, name="storage")
app.add_typer(network.network_app, name="network")
app.add_typer(network.address_app, name="address")
T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (CloudError, Fault) as error:
        sys.exit(f"synnefo: {error}")


async def _gather() -> audit_rules.Facts:
    async with Cloud(read_cloud()) as cloud:
        answers = await asyncio.gather(*(cloud.call(service, "GET", "/admin/v1/audit") for service in cloud.services))
        return dict(zip(cloud.services, answers, strict=True))


async def _fsck() -> list[audit_rules.Finding]:
    async with Cloud(read_cloud()) as cloud:
        return audit_rules.check_fsck(await storage.run_job(cloud, "fsck"))


async def _audit(settle_s: float) -> list[audit_rules.Finding]:
    findings = audit_rules.check(await _gather())
    deadline = asyncio.get_running_loop().time() + settle_s
    while findings and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(1.0)
        findings = audit_rules.settled(findings, audit_rules.check(await _gather()))
    return findings


@app.command()
def audit(
    as_json: AsJson = False,
    settle: Annotated[float, typer.Option(help="Seconds within which work under way may end before it counts as a finding.")] = 15.0,
    with_storage: Annotated[bool, typer.Option("--storage", help="Survey the whole block store, too: it takes its time.")] = False,
) -> None:
    """Check the invariants of the running cloud. Exit code 1 if one is violated."""
    findings = _run(_audit(settle))
    if with_storage:
        findings += _run(_fsck())
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


@cluster_app.command("list")
def cluster_list(as_json: AsJson = False) -> None:
    """All clusters."""

    async def work() -> Any:
        async with Cloud(read_cloud()) as cloud:
            return (await cloud.call("dispatcher", "GET", "/v1/clusters"))["clusters"]

    clusters = _run(work())
    if as_json:
        print(json.dumps(clusters, indent=2))
        return
    table = Table("name", "rapi_url", "online", "drained", "zone")
    for c in clusters:
        table.add_row(c["name"], c["rapi_url"], str(c.get("online")), str(c.get("drained")), str(c.get("zone")))
    Console(width=160).print(table)


@cluster_app.command("add")
def cluster_add(  # noqa: PLR0917 - typer reads the command's options off the parameters
    name: str,
    rapi_url: Annotated[str, typer.Option(help="https://master:5080")],
    username: Annotated[str, typer.Option()],
    password_file: Annotated[Path, typer.Option(help="File with the RAPI password.")],
    certificate: Annotated[Path, typer.Option(help="The cluster's RAPI certificate, PEM; it is pinned.")],
    zone: Annotated[str | None, typer.Option(help="Availability zone.")] = None,
) -> None:
    """Register a cluster."""
    body = {
        "name": name, "rapi_url": rapi_url, "username": username, "password": password_file.read_text().strip(),
        "certificate_pem": certificate.read_text(),
    }  # fmt: skip
    if zone:
        body["zone"] = zone

    async def work() -> None:
        async with Cloud(read_cloud()) as cloud:
            await cloud.call("dispatcher", "POST", "/v1/clusters", body)

    _run(work())
    print(f"cluster {name} added")


@cluster_app.command("remove")
def cluster_remove(name: str) -> None:
    """Forget a cluster that has no servers."""

    async def work() -> None:
        async with Cloud(read_cloud()) as cloud:
            await cloud.call("dispatcher", "DELETE", f"/v1/clusters/{name}")

    _run(work())
    print(f"cluster {name} removed")


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
            hidden = any(word in key for word in ("password", "secret", "bootstrap"))
            print(f"{section}.{key} = {'***' if hidden else value!r}")


if __name__ == "__main__":
    app()
