"""What real Ganeti says about the servers of a walk, held against what the APIs say."""

import ast
import json
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.stack import Stack

from synnefo_local.ganeti import SANDBOX
from synnefo_local.layout import CLUSTERS, Layout, load_memory, service_ports
from synnefo_local.seed import Api, log_in

FIELDS = "name,status,os,disk_template,disk.sizes,disk.names,nic.names,nic.macs,nic.modes,nic.bridges,tags"


def gnt_instance(layout: Layout, cluster: str, *arguments: str) -> str:
    """`gnt-instance …` on the cluster's master."""
    return subprocess.run(
        [str(SANDBOX), "exec", cluster, "gnt-instance", *arguments],
        env={"GANETI_SANDBOX_DIR": str(layout.real / "ganeti"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


def instances(layout: Layout) -> Iterator[dict[str, str]]:
    """Every instance of every cluster as `gnt-instance list` shows it, with its cluster."""
    for cluster in CLUSTERS:
        for line in gnt_instance(layout, cluster, "list", "--no-headers", "--separator=|", "-o", FIELDS).splitlines():
            yield {"cluster": cluster, **dict(zip(FIELDS.split(","), line.split("|"), strict=True))}


def assert_landed(stack: Stack, prefix: str) -> None:
    """Each server of the walk is one running instance with its own disks, NICs and tag; both clusters have one."""
    ports = service_ports(load_memory(stack.layout))
    token, project_id = log_in(stack.url("identity"), stack.passwords["admin"])

    def get(service: str, path: str) -> Any:
        return Api(f"http://127.0.0.1:{ports[service]}", token, project_id)("GET", path)

    found = {instance["name"]: instance for instance in instances(stack.layout)}
    servers = get("compute", f"/v2.1/servers/detail?all_tenants=1&name={prefix}")["servers"]
    assert len(servers) == len(found) == 2, f"{[s['name'] for s in servers]} in {json.dumps(found, indent=1)}"
    for server in servers:
        instance = found[f"snf-{server['id']}"]
        assert instance["status"] == "running"
        assert instance["os"] == "synnefo-image+default"
        assert instance["disk_template"] == "ext"
        assert f"synnefo:server:{server['id']}" in instance["tags"].split(",")
        volumes = [v["id"] for v in server["os-extended-volumes:volumes_attached"]]
        # The root disk of a server from an image is compute's own affair: the API shows only what was attached.
        root, *attached = ast.literal_eval(instance["disk.names"])
        assert root.startswith("snf-vol-")
        assert sorted(attached) == sorted(f"snf-vol-{v}" for v in volumes), f"{attached} of {volumes}"
        assert instance["disk.sizes"].split(",") == ["1024"] * (1 + len(volumes))
        provided = gnt_instance(stack.layout, instance["cluster"], "info", instance["name"]).count("['archipelago', ")
        assert provided == 1 + len(volumes), "a disk is not archipelago's"
        port = get("network", f"/v2.0/ports?device_id={server['id']}")["ports"][0]
        assert ast.literal_eval(instance["nic.names"]) == [f"snf-nic-{port['id']}"]
        assert (instance["nic.macs"], instance["nic.modes"], instance["nic.bridges"]) == (port["mac_address"], "bridged", "br0")
    assert {instance["cluster"] for instance in found.values()} == set(CLUSTERS)
