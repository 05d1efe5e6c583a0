"""Prints the state of every process of a local cloud."""

from synnefo_local import cloud
from synnefo_local.ganeti import real_nodes
from synnefo_local.infra import infra_pids
from synnefo_local.layout import SERVICES, Layout, load_memory, service_ports
from synnefo_local.processes import rss_mib
from synnefo_local.readiness import probe


def rows(layout: Layout) -> list[tuple[str, str, str, str, str]]:
    """Name, pid, port, memory and state of each."""
    memory = load_memory(layout)
    if not memory:
        return []
    ports = service_ports(memory)
    found = []
    infra = infra_pids(layout) if layout.is_full else {}
    for name, (pid, _) in infra.items():
        found.append((name, str(pid or "-"), "-", memory_text(pid), "running" if pid else "stopped"))
    if layout.has_real_ganeti:
        for name, is_up in real_nodes(layout).items():
            found.append((name, "-", "-", "-", "running" if is_up else "stopped"))
    for process in cloud.our_processes(layout, memory):
        pid = process.pid()
        state = "stopped" if pid is None else "running"
        if pid is not None and process.ready_url:
            state = readiness(process.ready_url)
        found.append((process.name, str(pid or "-"), str(process.port or "-"), memory_text(pid), state))
        if process.name == "cloud":
            for service in SERVICES:
                inner = readiness(cloud.ready_url(ports[service])) if pid else "stopped"
                found.append((f"  {service}", "", str(ports[service]), "", inner))
    return found


def readiness(url: str) -> str:
    reason = probe(url)
    return "ready" if reason is None else f"not ready: {reason}"


def memory_text(pid: int | None) -> str:
    mib = rss_mib(pid) if pid else None
    return "-" if mib is None else f"{mib} MiB"


def print_status(layout: Layout) -> int:
    """0 when everything runs and is ready, else 1."""
    found = rows(layout)
    if not found:
        print("No cloud here yet: make up")
        return 1
    print(f"{layout.variant} cloud in {layout.home}")
    for name, pid, port, memory, state in [("PROCESS", "PID", "PORT", "MEMORY", "STATE"), *found]:
        print(f"{name:<24} {pid:>8} {port:>6} {memory:>9}  {state}")
    return 0 if all(row[4] in ("ready", "running") for row in found) else 1
