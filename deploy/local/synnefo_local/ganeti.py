"""The two Ganeti clusters of a local cloud, fake or real, and how the dispatcher reaches them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synnefo_local.infra import run_script
from synnefo_local.layout import CHECKOUT, CLUSTERS, Layout, LocalError
from synnefo_local.processes import Process

SANDBOX = CHECKOUT / "deploy/local/ganeti/ganeti-sandbox"


@dataclass(frozen=True)
class Cluster:
    """What `POST /v1/clusters` of the dispatcher wants."""

    name: str
    rapi_url: str
    username: str
    password: str
    certificate_pem: str


def fake_process(layout: Layout, memory: Mapping[str, Any]) -> Process:
    """One process for both fake clusters; their state is in files and outlives it."""
    clusters = [f"--cluster={name}={port}" for name, port in memory["ganeti_ports"].items()]
    argv = (sys.executable, "-m", "synnefo_fake_ganeti", "serve", "--state", str(layout.ganeti), *clusters)
    return Process("ganeti", argv, layout.run, layout.log)


def fake_clusters(layout: Layout, memory: Mapping[str, Any]) -> list[Cluster]:
    """The fake writes `rapi.pem` (certificate) and `credentials` (user:password) into its state folder."""
    user, _, password = (layout.ganeti / "credentials").read_text().strip().partition(":")
    certificate = (layout.ganeti / "rapi.pem").read_text()
    return [
        Cluster(name, f"https://127.0.0.1:{port}", user, password, certificate)
        for name, port in memory["ganeti_ports"].items()
    ]


def sandbox_name(layout: Layout, cluster: str) -> str:
    return f"{cluster}-{layout.real.parent.name[:6]}"


def sandbox_env(layout: Layout, memory: Mapping[str, Any]) -> dict[str, str]:
    return {
        "GANETI_SANDBOX_DIR": str(layout.real / "ganeti"),
        "RAPI_USER": "synnefo",
        "RAPI_PASSWORD": memory["passwords"]["rapi"],
        "HYPERVISORS": "fake",
    }


def start_real(layout: Layout, memory: Mapping[str, Any]) -> list[Cluster]:
    if not SANDBOX.exists():
        raise LocalError(f"{SANDBOX} is not there: use GANETI=fake")
    if os.geteuid() != 0:
        raise LocalError("real Ganeti clusters need root (network namespaces): use GANETI=fake")
    if subprocess.run([str(SANDBOX), "install"], stdout=subprocess.DEVNULL, check=False).returncode:
        raise LocalError("Ganeti could not be installed: use GANETI=fake")
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
