"""`synnefo cluster`: Ganeti clusters, as the dispatcher's admin API has them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from synnefo_admin.cloud import Cloud, read_cloud, run

app = typer.Typer(no_args_is_help=True, help="Ganeti clusters.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PasswordFile = Annotated[Path, typer.Option(help="File with the RAPI password; - reads it from standard input.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back.")]


def _call(method: str, path: str = "", body: dict[str, Any] | None = None) -> Any:
    async def work() -> Any:
        async with Cloud(read_cloud()) as cloud:
            return await cloud.call("dispatcher", method, f"/v1/clusters{path}", body)

    return run(work())


def _read_password(path: Path) -> str:
    return (sys.stdin.read() if str(path) == "-" else path.read_text()).strip()


def _state(cluster: dict[str, Any]) -> str:
    if cluster["offline"]:
        return "offline"
    return ("online" if cluster["online"] else "not answering") + (", drained" if cluster["drained"] else "")


def _print(cluster: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(cluster, indent=2))
        return
    table = Table("field", "value")
    table.add_row("state", _state(cluster))
    for key, value in cluster.items():
        if key not in ("certificate_pem", "groups", "drained", "offline", "online"):
            table.add_row(key, ", ".join(value) if isinstance(value, list) else str(value))
    for group in cluster["groups"]:
        free = f"{group['mem_free_mib']} of {group['mem_total_mib']} MiB free"
        closed = "" if group["is_open"] else "; closed"
        text = f"zone {group['zone'] or 'default'}: {group['nodes']} nodes, {free}, {group['instances']} instances{closed}"
        table.add_row(f"group {group['name']}", text)
    Console(width=160).print(table)


@app.command("list")
def list_clusters(as_json: AsJson = False) -> None:
    """All clusters."""
    clusters = _call("GET")["clusters"]
    if as_json:
        print(json.dumps(clusters, indent=2))
        return
    table = Table("name", "state", "zone", "version", "hypervisors", "nodes", "instances", "memory free", "error")
    for c in clusters:
        memory = f"{c['mem_free_mib']} of {c['mem_total_mib']} MiB"
        figures = (str(c["nodes"]), str(c["instances"]), memory)
        table.add_row(c["name"], _state(c), c["zone"] or "", c["version"], ", ".join(c["hypervisors"]), *figures, (c["error"] or "")[:60])
    Console(width=200).print(table)


@app.command()
def show(name: str, as_json: AsJson = False) -> None:
    """One cluster with its node groups."""
    _print(_call("GET", f"/{name}")["cluster"], as_json=as_json)


@app.command()
def refresh(name: str, as_json: AsJson = False) -> None:
    """Look at a cluster now. Exit code 1 if it does not answer."""
    cluster = _call("POST", f"/{name}/refresh")["cluster"]
    _print(cluster, as_json=as_json)
    sys.exit(0 if cluster["online"] else 1)


@app.command()
def add(  # noqa: PLR0917 - typer reads the command's options off the parameters
    name: str,
    rapi_url: Annotated[str, typer.Option(help="https://master:5080")],
    username: Annotated[str, typer.Option(help="A RAPI user with write access.")],
    password_file: PasswordFile,
    certificate: Annotated[Path, typer.Option(help="The cluster's RAPI certificate, PEM; it is pinned.")],
    zone: Annotated[str | None, typer.Option(help="Availability zone of node groups that name none.")] = None,
    drained: Annotated[bool, typer.Option("--drained", help="No new servers yet.")] = False,
) -> None:
    """Register a cluster. It is tried at once."""
    body = {
        "name": name, "rapi_url": rapi_url, "username": username, "password": _read_password(password_file),
        "certificate_pem": certificate.read_text(), "zone": zone, "drained": drained,
    }  # fmt: skip
    cluster = _call("POST", "", body)["cluster"]
    print(f"cluster {name} added: {_state(cluster)}" + (f" ({cluster['error']})" if cluster["error"] else ""))


@app.command("set")
def set_(  # noqa: PLR0917 - typer reads the command's options off the parameters
    name: str,
    rapi_url: Annotated[str | None, typer.Option(help="https://master:5080")] = None,
    username: Annotated[str | None, typer.Option()] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the RAPI password; - reads it from standard input.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM; may hold the old and the new one for the time of a change.")] = None,
    zone: Annotated[str | None, typer.Option(help="Availability zone.")] = None,
) -> None:
    """Change a cluster's address, credentials, certificate or zone. They are tried before anything is changed."""
    body: dict[str, Any] = {"rapi_url": rapi_url, "username": username, "zone": zone}
    if password_file is not None:
        body["password"] = _read_password(password_file)
    if certificate is not None:
        body["certificate_pem"] = certificate.read_text()
    body = {key: value for key, value in body.items() if value is not None}
    if not body:
        sys.exit("synnefo: nothing to change")
    print(f"cluster {name}: {_state(_call('PUT', f'/{name}', body)['cluster'])}")


@app.command()
def drain(name: str, undo: Undo = False) -> None:
    """No new servers there; those that it has go on."""
    print(f"cluster {name}: {_state(_call('PUT', f'/{name}', {'drained': not undo})['cluster'])}")


@app.command()
def offline(name: str, undo: Undo = False) -> None:
    """Do not talk to a cluster; jobs for it wait."""
    print(f"cluster {name}: {_state(_call('PUT', f'/{name}', {'offline': not undo})['cluster'])}")


@app.command()
def remove(name: str, force: Annotated[bool, typer.Option("--force", help="Also with servers; its unfinished jobs fail.")] = False) -> None:
    """Forget a cluster. Nothing is changed in Ganeti."""
    _call("DELETE", f"/{name}" + ("?force=true" if force else ""))
    print(f"cluster {name} removed")
