"""Starts, stops and describes one local cloud: the order of things in `up` and `down`."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from synnefo_local import ganeti, infra
from synnefo_local.client_files import write_client_files
from synnefo_local.etc_files import Backends, embedded_backends, write_settings
from synnefo_local.launch import FEW, Launcher
from synnefo_local.layout import (
    CHECKOUT,
    SERVICES,
    Layout,
    LocalError,
    choose_hypervisor,
    load_memory,
    remember,
    save_memory,
    service_ports,
    write_private,
)
from synnefo_local.processes import Process, stop
from synnefo_local.readiness import is_listening, wait_ready
from synnefo_local.seed import seed

Say = Callable[[str], None]
SCHEMA = (
    "services/*/synnefo_*/db/migrations/**/*.py",
    "services/*/synnefo_*/consumers/**/*.py",
    "libs/common/synnefo_common/bus/topology.py",
)
FREED_WITHIN_S = 3.0
READY_TIMEOUT_S = {False: 60.0, True: 120.0}


def our_processes(layout: Layout, memory: Mapping[str, Any]) -> list[Process]:
    """Everything that we start as a child, in the order of starting. PostgreSQL and its like have their own scripts."""
    processes = [] if layout.has_real_ganeti else [ganeti.fake_process(layout, memory)]
    if not layout.is_full:
        return [*processes, Process("cloud", module("synnefo_local", "embedded"), layout.run, layout.log)]
    ports = service_ports(memory)
    for name in SERVICES:
        url = ready_url(ports[name])
        processes.append(service_process(layout, name, "serve", name, port=ports[name], ready_url=url))
        processes.append(service_process(layout, name, "worker", f"{name}-worker"))
    return processes


def service_process(
    layout: Layout, service: str, verb: str, name: str, *, port: int | None = None, ready_url: str | None = None
) -> Process:
    package = f"synnefo_{service}"
    return Process(name, module(package, verb), layout.run, layout.log, port=port, ready_url=ready_url, package=package)


def module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def ready_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/readyz"


def process_env(layout: Layout, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Our settings only: what the caller's shell says about other clouds must not leak in."""
    env = {key: value for key, value in environ.items() if not key.startswith("OS_")}
    return env | {"SYNNEFO_ETC": str(layout.etc), "SYNNEFO_STATE": str(layout.root), "PYTHONUNBUFFERED": "1"}


def up(layout: Layout, *, say: Say, throwaway: bool = False, hypervisor: str = "") -> None:
    """Start what is not running, wait until all of it is ready, seed. Safe to repeat at any time."""
    began = time.monotonic()
    layout.create()
    memory = remember(layout)
    memory.setdefault("throwaway", throwaway)
    memory["hypervisor"] = choose_hypervisor(layout, memory, asked=hypervisor)
    if layout.is_full and "network" not in memory:
        memory["network"], reason = infra.choose_network(throwaway=throwaway)
        if reason:
            say(reason)
    if memory["hypervisor"] == "kvm" and memory["network"] != "ovn":
        raise LocalError("the hypervisor kvm needs networks that carry packets: SYNNEFO_NETWORK=ovn")
    if not layout.has_real_ganeti and ganeti.needs_other_ports(layout, memory):
        memory["ganeti_ports"] = ganeti.choose_ports()
    processes = our_processes(layout, memory)
    refuse_foreign_ports(processes, service_ports(memory))
    save_memory(layout, memory)

    with Launcher(process_env(layout)) as launcher:
        stopped = [process for process in processes if process.pid() is None]
        if len([process for process in stopped if process.package]) > FEW:
            launcher.warm()
        backends, real_clusters = start_backends(layout, memory, say=say)
        write_settings(layout, memory, backends)
        write_client_files(layout, memory)
        if layout.is_full:
            migrate(layout, launcher, say=say)
        launcher.start(stopped)
    say("started " + ", ".join(p.name for p in stopped) if stopped else "everything is running already")
    urls = {name: ready_url(port) for name, port in service_ports(memory).items() if name in SERVICES}
    wait_ready(processes, urls, timeout_s=READY_TIMEOUT_S[layout.is_full])
    say(f"all services are ready after {time.monotonic() - began:.1f} s")
    clusters = real_clusters or ganeti.fake_clusters(layout, memory)
    roots = {name: f"http://127.0.0.1:{port}" for name, port in service_ports(memory).items()}
    made = seed(roots, memory["passwords"]["admin"], clusters, has_packets=memory.get("network") == "ovn")
    say(f"seeded {', '.join(made)}" if made else "the seed is there")
    say(f"up after {time.monotonic() - began:.1f} s")


def start_backends(layout: Layout, memory: Mapping[str, Any], *, say: Say) -> tuple[Backends, Sequence[ganeti.Cluster]]:
    """Databases, bus, blocks, and real clusters if it is to be real ones."""
    if not layout.is_full:
        return embedded_backends(layout), ()
    infra.install_packages()
    if layout.has_real_ganeti:
        ganeti.install_real(memory["hypervisor"])
    parts = ["PostgreSQL", "RabbitMQ", "RADOS", *(["OVN"] if memory.get("network") == "ovn" else [])]
    say(", ".join(parts) + (" and real Ganeti" if layout.has_real_ganeti else ""))
    with ThreadPoolExecutor(1) as pool:
        clusters = pool.submit(ganeti.start_real, layout) if layout.has_real_ganeti else None
        backends = infra.start_infra(layout, memory, throwaway=memory["throwaway"])
        found = clusters.result() if clusters else ()
    if found and backends.network:
        ganeti.join_ovn(layout)
    if memory["hypervisor"] == "kvm":
        ganeti.serve_volumes(layout, backends.store_url)
    return backends, found


def refuse_foreign_ports(processes: Iterable[Process], ports: Mapping[str, int]) -> None:
    """A port that something else holds is found out before anything is started.

    A process that was just killed is no more for its pid file, while its last thread still keeps the port: that is waited for.
    """
    running = {process.name for process in processes if process.pid() is not None}
    deadline = time.monotonic() + FREED_WITHIN_S
    for name in SERVICES:
        while not running & {name, "cloud"} and is_listening(ports[name]):
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise LocalError(
                f"port {ports[name]} ({name}) is taken by another program: stop it, or choose other ports, "
                f"for example SYNNEFO_PORT_BASE=21000 make up"
            )


def migrate(layout: Layout, launcher: Launcher, *, say: Say) -> None:
    """Bring every database to the code's schema and make the queues; skipped when both are those of the last time.

    PostgreSQL and RabbitMQ have a stamp each, among their data: one that is made anew has none.
    """
    stamps = [layout.real / part / "migrated" for part in ("postgres", "rabbitmq")]
    wanted = schema_digest()
    if all(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        return
    say("migrating the databases")
    launcher.run([service_process(layout, name, "migrate", f"{name}-migrate") for name in SERVICES])
    for stamp in stamps:
        write_private(stamp, wanted)


def schema_digest() -> str:
    """Of all from which tables and queues are made."""
    digest = hashlib.sha256()
    for pattern in SCHEMA:
        for path in sorted(CHECKOUT.glob(pattern)):
            digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def down(layout: Layout, *, say: Say, purge: bool = False) -> None:
    """Stop what is ours and nothing else. With `purge` the real parts' data go too."""
    if not layout.home.exists():
        return
    memory = load_memory(layout)
    if not memory:
        return
    processes = our_processes(layout, memory)
    # The cloud first, so that nothing is left half said to a Ganeti or a database that has just gone.
    stopped = stop([p for p in processes if p.name != "ganeti"]) + stop([p for p in processes if p.name == "ganeti"])
    if layout.has_real_ganeti:
        stopped += ganeti.stop_real(layout, destroy=purge)
    if layout.is_full:
        stopped += infra.stop_infra(layout, purge=purge)
    if stopped:
        say(f"stopped {', '.join(stopped)}")


def is_running(layout: Layout) -> bool:
    memory = load_memory(layout) if layout.home.exists() else {}
    return bool(memory) and any(p.pid() is not None for p in our_processes(layout, memory))


def logs(layout: Layout) -> dict[str, Path]:
    """Log file by process name."""
    memory = load_memory(layout)
    found = {p.name: p.log for p in our_processes(layout, memory)} if memory else {}
    if layout.is_full:
        found |= {name: log for name, (_, log) in infra.infra_pids(layout).items()}
    return found
