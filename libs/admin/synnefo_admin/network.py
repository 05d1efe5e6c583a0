"""`synnefo network` and `synnefo address`: which networks give out addresses, and who had one when."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.table import Table

from synnefo_admin.cloud import Cloud, read_cloud, run

network_app = typer.Typer(no_args_is_help=True, help="Networks: what they have left, and draining them.")
address_app = typer.Typer(no_args_is_help=True, help="Addresses of external networks: who had them when.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


async def _get(path: str, key: str) -> list[dict[str, Any]]:
    async with Cloud(read_cloud()) as cloud:
        return list((await cloud.call("network", "GET", path))[key])


@network_app.command("list")
def network_list(as_json: AsJson = False) -> None:
    """All networks with their addresses, used and in all."""

    async def work() -> list[dict[str, Any]]:
        async with Cloud(read_cloud()) as cloud:
            networks = (await cloud.call("network", "GET", "/v2.0/networks"))["networks"]
            counted = (await cloud.call("network", "GET", "/v2.0/network-ip-availabilities"))["network_ip_availabilities"]
        uses = {c["network_id"]: c for c in counted}
        return [
            {
                "id": n["id"], "name": n["name"], "project_id": n["project_id"], "external": n["router:external"], "shared": n["shared"],
                "drained": n.get("synnefo:drained", False), "direct_floating_ips": n.get("synnefo:direct_floating_ips", False),
                "used_ips": uses[n["id"]]["used_ips"] if n["id"] in uses else 0, "total_ips": uses[n["id"]]["total_ips"] if n["id"] in uses else 0,
            }
            for n in networks
        ]  # fmt: skip

    found = run(work())
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("id", "name", "project", "external", "shared", "drained", "direct", "addresses")
    for n in found:
        flags = ["yes" if n[name] else "" for name in ("external", "shared", "drained", "direct_floating_ips")]
        table.add_row(n["id"], n["name"], n["project_id"], *flags, f"{n['used_ips']} of {n['total_ips']}")
    Console(width=200).print(table)


def _set_drained(network: str, *, drained: bool) -> None:
    async def work() -> None:
        async with Cloud(read_cloud()) as cloud:
            await cloud.call("network", "PUT", f"/v2.0/networks/{network}", {"network": {"synnefo:drained": drained}})

    run(work())
    print(f"network {network} {'drained' if drained else 'gives out addresses'}")


@network_app.command("drain")
def network_drain(network: Annotated[str, typer.Argument(help="Id of the network.")]) -> None:
    """Give out no new addresses of it; what is in use stays."""
    _set_drained(network, drained=True)


@network_app.command("undrain")
def network_undrain(network: Annotated[str, typer.Argument(help="Id of the network.")]) -> None:
    """Give out addresses again."""
    _set_drained(network, drained=False)


@address_app.command("history")
def address_history(  # noqa: PLR0917 - typer reads the command's options off the parameters
    ip_address: Annotated[str | None, typer.Argument(help="The address; none for all.")] = None,
    at: Annotated[str | None, typer.Option(help="Who had it then, as 2026-11-22T10:00:00Z.")] = None,
    since: Annotated[str | None, typer.Option(help="Who had it after.")] = None,
    until: Annotated[str | None, typer.Option(help="Who had it before.")] = None,
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    server: Annotated[str | None, typer.Option(help="Only of this server.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who had an address when, newest first."""
    asked = {"ip_address": ip_address, "at": at, "since": since, "until": until, "project_id": project, "device_id": server}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    found = run(_get(f"/admin/v1/address-history?{query}", "address_history"))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("address", "from", "to", "project", "server or router", "port", "floating IP", "MAC")
    for row in found:
        whose = (row["project_id"], row["device_id"], row["port_id"] or "", row["floating_ip_id"] or "", row["mac_address"] or "")
        table.add_row(row["ip_address"], row["started_at"], row["ended_at"] or "", *whose)
    Console(width=260).print(table)
