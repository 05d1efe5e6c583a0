"""`synnefo reconcile` on a running cloud: an instance that nobody ordered is reported, and removed when the operator says so."""

import asyncio
import json
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from synnefo_common.testing import wait_until
from tests.stack import Stack

SYNNEFO = Path(sys.executable).with_name("synnefo")


def reconcile(stack: Stack, *options: str) -> list[dict[str, Any]]:
    run = subprocess.run([SYNNEFO, "reconcile", "--json", *options], env=stack.env("admin"), capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def until(predicate: Callable[[], bool], timeout_s: float, what: str) -> None:
    asyncio.run(wait_until(predicate, timeout_s, what=what))


def test_an_orphan_is_reported_and_removed_by_request_alone() -> None:
    with Stack("embedded") as stack:
        rapi = json.loads((stack.layout.ganeti / "alpha/cluster.json").read_text())
        trust = ssl.create_default_context(cafile=rapi["certificate"])
        trust.check_hostname = False  # it is pinned
        with httpx.Client(base_url=rapi["url"], auth=(rapi["user"], rapi["password"]), verify=trust, trust_env=False) as ganeti:
            orphan, other = f"snf-{uuid.uuid4()}", "of-somebody-else"
            for name in (orphan, other):
                body = {"__version__": 1, "mode": "create", "instance_name": name, "disk_template": "diskless", "disks": [], "nics": [],
                        "os_type": "synnefo-image+default", "start": False, "no_install": True, "ip_check": False, "name_check": False}  # fmt: skip
                assert ganeti.post("/2/instances", json=body).status_code == 200

            def names() -> set[str]:
                return {instance["id"] for instance in ganeti.get("/2/instances").json()}

            until(lambda: names() == {orphan, other}, 30, "the instances are there")
            report = {
                "service": "compute", "reconciler": "instances", "action": "ReportOrphan", "outcome": "reported", "name": orphan, "cluster": "alpha",
            }  # fmt: skip
            until(lambda: report in reconcile(stack, "--dry-run"), 60, "the orphan is reported")
            plan = reconcile(stack, "--dry-run", "--remove-orphans")
            assert [a["outcome"] for a in plan if a["action"] == "RemoveOrphan"] == ["planned"]
            assert report in reconcile(stack) and names() == {orphan, other}
            reconcile(stack, "--remove-orphans")
            until(lambda: names() == {other}, 60, "the orphan is gone")
