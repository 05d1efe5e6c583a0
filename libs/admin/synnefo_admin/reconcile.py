"""`synnefo reconcile`: what the services believe against what is there, now instead of at the end of the period."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from synnefo_admin.cloud import Cloud, read_cloud, run

SERVICES = ("compute", "network", "image", "volume")
ORPHANS = ("compute", "orphan instances")  # runs only when it is named
_PATH = "/admin/v1/reconcile"


async def _gather(*, dry_run: bool, remove_orphans: bool) -> list[dict[str, Any]]:
    """Each action with its service and reconciler. Compute comes first: what it finds out the others hear of."""
    found = []
    async with Cloud(read_cloud()) as cloud:
        turns: list[tuple[str, list[str]]] = [(service, []) for service in SERVICES]
        turns += [(ORPHANS[0], [ORPHANS[1]])] if remove_orphans else []
        for service, names in turns:
            answer = await cloud.call(service, "POST", _PATH, {"dry_run": dry_run, "names": names})
            for one in answer["reconcilers"]:
                found += [{"service": service, "reconciler": one["name"], **action} for action in one["actions"]]
    return found


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Delete the instances with our prefix that belong to no server, with their data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put right what differs from Ganeti, between the services, or after a crash. Exit code 1 if something failed."""
    actions = run(_gather(dry_run=dry_run, remove_orphans=remove_orphans))
    if as_json:
        print(json.dumps(actions, indent=2))
    elif not actions:
        print("reconcile: nothing to do")
    else:
        table = Table("service", "action", "outcome", "about")
        for action in actions:
            about = ", ".join(f"{k} {v}" for k, v in action.items() if k not in ("service", "reconciler", "action", "outcome"))
            table.add_row(action["service"], action["action"], action["outcome"], about)
        Console(width=200).print(table)
    sys.exit(1 if any(action["outcome"] == "failed" for action in actions) else 0)
