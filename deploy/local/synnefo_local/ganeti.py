"""The two Ganeti clusters of a local cloud, fake or real, and how the dispatcher reaches them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synnefo_local.infra import run_script
from synnefo_local.layout import CHECKOUT, CLUSTERS, Layout, LocalError, free_ports
from synnefo_local.processes import Process, died
from synnefo_local.readiness import is_listening

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


def sandbox_name(layout: Layout, cluster: str) -> str:
    return f"{cluster}-{layout.real.parent.name[:6]}"


def sandbox_env(layout: Layout, memory: Mapping[str, Any]) -> dict[str, str]:
    return {
        "GANETI_SANDBOX_DIR": str(layout.real / "ganeti"),
        "RAPI_USER": "synnefo",
        "RAPI_PASSWORD": memory["passwords"]["rapi"],
        "HYPERVISORS": "fake",
    }


def check_real() -> None:
    """LocalError with what to do instead when this machine or this user cannot have real clusters."""
    if not SANDBOX.exists():
        raise LocalError(f"{SANDBOX} is not there: use GANETI=fake")
    if os.geteuid() != 0:
        raise LocalError("real Ganeti clusters need root (network namespaces): use GANETI=fake")


def install_real() -> None:
    if subprocess.run([str(SANDBOX), "install"], stdout=subprocess.DEVNULL, check=False).returncode:
        raise LocalError("Ganeti could not be installed: use GANETI=fake")


def start_real(layout: Layout, memory: Mapping[str, Any]) -> list[Cluster]:
    env = sandbox_env(layout, memory)
    clusters = []
    for name in CLUSTERS:
        facts = run_script([str(SANDBOX), "up", sandbox_name(layout, name), "auto", "1"], env=env)
        certificate = facts["RAPI_CERT"]
        if "BEGIN CERTIFICATE" not in certificate:
            certificate = Path(certificate).read_text()
        clusters.append(Cluster(name, facts["RAPI_URL"], facts["RAPI_USER"], facts["RAPI_PASSWORD"], certificate))
    return clusters


def stop_real(layout: Layout, memory: Mapping[str, Any], *, destroy: bool = False) -> list[str]:
    if not SANDBOX.exists():
        return []
    stopped = []
    for name in CLUSTERS:
        if (layout.real / "ganeti" / sandbox_name(layout, name)).exists():
            verb = "destroy" if destroy else "down"
            run_script([str(SANDBOX), verb, sandbox_name(layout, name)], env=sandbox_env(layout, memory))
            stopped.append(f"ganeti {name}")
    return stopped
