"""The two Ganeti clusters of a local cloud, fake or real, and how the dispatcher reaches them."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synnefo_local.infra import SCRIPTS, run_script
from synnefo_local.layout import CHECKOUT, CLUSTERS, Layout, LocalError, cluster_nodes, free_ports, load_memory
from synnefo_local.processes import Process, died
from synnefo_local.readiness import is_listening

KVM_TOOLS = ("qemu-system-x86_64", "nbdkit", "nbdinfo")
SANDBOX = CHECKOUT / "deploy/local/ganeti/ganeti-sandbox"


@dataclass(frozen=True)
class Cluster:
    """What `POST /v1/clusters` of the dispatcher wants."""

    name: str
    rapi_url: str
    username: str
    password: str
    certificate_pem: str


def choose_ports() -> dict[str, int]:
    return dict(zip(CLUSTERS, free_ports(len(CLUSTERS)), strict=True))


def needs_other_ports(layout: Layout, memory: Mapping[str, Any]) -> bool:
    """Whether another program has meanwhile taken a remembered port; the dispatcher is told the new one by the seed."""
    running = fake_process(layout, memory).pid() is not None
    return not running and any(is_listening(port) for port in memory["ganeti_ports"].values())


def fake_process(layout: Layout, memory: Mapping[str, Any]) -> Process:
    """One process for both fake clusters; their state is in files and outlives it."""
    clusters = [f"--cluster={name}={port}" for name, port in memory["ganeti_ports"].items()]
    sync = ["--no-sync"] if memory.get("throwaway") else []
    argv = (sys.executable, "-m", "synnefo_fake_ganeti", "serve", "--state", str(layout.ganeti), *clusters, *sync)
    return Process("ganeti", argv, layout.run, layout.log)


def fake_clusters(layout: Layout, memory: Mapping[str, Any], *, timeout_s: float = 30.0) -> list[Cluster]:
    """Wait until the fake answers, then read what it wrote: `DIR/NAME/cluster.json` of each cluster."""
    process, clusters = fake_process(layout, memory), list[Cluster]()
    deadline = time.monotonic() + timeout_s
    for name, port in memory["ganeti_ports"].items():
        while (found := read_fake(layout.ganeti / name, name, port=port)) is None:
            if process.pid() is None:
                raise died(process)
            if time.monotonic() > deadline:
                raise LocalError(f"the fake Ganeti is not ready. The end of {process.log}:\n{process.tail()}")
            time.sleep(0.02)
        clusters.append(found)
    return clusters


def read_fake(folder: Path, name: str, *, port: int) -> Cluster | None:
    """None as long as it does not answer on that port or its file is absent, half written or of another port."""
    if not is_listening(port):
        return None
    try:
        facts = json.loads((folder / "cluster.json").read_text())
    except (OSError, ValueError):
        return None
    if not facts["url"].endswith(f":{port}"):
        return None
    return Cluster(name, facts["url"], facts["user"], facts["password"], Path(facts["certificate"]).read_text())


def sandbox(layout: Layout, *arguments: str) -> dict[str, str]:
    memory = load_memory(layout)
    has_ovn = memory.get("network") == "ovn"
    env = {
        "GANETI_SANDBOX_DIR": str(layout.real / "ganeti"),
        "GANETI_SANDBOX_OVN": "1" if has_ovn else "",
        "GANETI_SANDBOX_VNET_HDR": "false" if has_ovn else "true",
        "HYPERVISORS": memory.get("hypervisor", "fake"),
    }
    return run_script([str(SANDBOX), *arguments], env=env)


def nodes(layout: Layout) -> Iterator[tuple[Path, str, str]]:
    """State folder, network namespace and first process of each node of the real clusters."""
    for name, count in cluster_nodes(load_memory(layout)).items():
        folder = layout.real / "ganeti" / name
        for number in range(1, count + 1):
            space = f"synnefo-g{(folder / 'index').read_text().strip()}-{name}-n{number}"
            yield folder / f"node{number}", space, (folder / f"node{number}/init.pid").read_text().strip()


def join_ovn(layout: Layout) -> None:
    """Make each node of the real clusters a chassis of our OVN."""
    for _, space, pid in nodes(layout):
        run_script([str(SCRIPTS / "ovn-node"), str(layout.real / "ovn"), space, pid])


def serve_volumes(layout: Layout, store_url: str) -> None:
    """Give each node the NBD endpoint that its guests have their disks from."""
    for folder, _, pid in nodes(layout):
        run_script([str(SCRIPTS / "nbd-node"), str(folder), pid, store_url, sys.executable])


def check_real() -> None:
    """LocalError with what to do instead when this machine or this user cannot have real clusters."""
    if not SANDBOX.exists():
        raise LocalError(f"{SANDBOX} is not there: use GANETI=fake")
    if os.geteuid() != 0:
        raise LocalError("real Ganeti clusters need root (network namespaces): use GANETI=fake")


def install_real(hypervisor: str) -> None:
    tools = ["gnt-cluster", *(KVM_TOOLS if hypervisor == "kvm" else ())]
    if all(shutil.which(tool, path="/usr/sbin:/usr/bin") for tool in tools):
        return
    print("  installing Ganeti", flush=True)
    try:
        run_script([str(SANDBOX), "install"], env={"HYPERVISORS": hypervisor})
    except LocalError as error:
        raise LocalError(f"{error}\nGANETI=fake does without") from error


def start_real(layout: Layout) -> list[Cluster]:
    """All clusters at once; each is found running when it is."""
    wanted = cluster_nodes(load_memory(layout))
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(lambda name: start_one(layout, name, nodes=wanted[name]), wanted))


def start_one(layout: Layout, name: str, *, nodes: int) -> Cluster:
    facts = sandbox(layout, "up", name, str(nodes))
    certificate = Path(facts["RAPI_CERT"]).read_text()
    return Cluster(name, facts["RAPI_URL"], facts["RAPI_USER"], facts["RAPI_PASSWORD"], certificate)


def real_nodes(layout: Layout) -> dict[str, bool]:
    """Whether each node of the real clusters is up, by its name."""
    env = {**os.environ, "GANETI_SANDBOX_DIR": str(layout.real / "ganeti")}
    done = subprocess.run([str(SANDBOX), "status"], env=env, capture_output=True, text=True, check=False)
    found = (line.split() for line in done.stdout.splitlines() if line.startswith("  "))
    return {node[0]: node[-1] == "up" for node in found}


def stop_real(layout: Layout, *, destroy: bool = False) -> list[str]:
    made = [name for name in CLUSTERS if (layout.real / "ganeti" / name).exists()]
    with ThreadPoolExecutor(len(CLUSTERS)) as pool:
        list(pool.map(lambda name: sandbox(layout, "destroy" if destroy else "down", name), made))
    return [f"ganeti {name}" for name in made]
