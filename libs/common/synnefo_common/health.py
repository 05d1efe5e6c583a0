"""`python -m synnefo_common.health SERVICE`: exit 0 if the running API or worker is ready. For a container's health check.

With nothing but the standard library: it is run every few seconds for each container, and importing a service takes two seconds of CPU.
"""

from __future__ import annotations

import os
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

DEFAULT_ETC = Path("/etc/synnefo")
DEFAULT_PORTS = {
    "identity": 5000, "compute": 8774, "network": 9696, "image": 9292, "volume": 8776, "object": 8080, "dispatcher": 8790,
    "metadata": 8775, "console": 6080,
}  # fmt: skip


def is_ready(host: str, port: int, *, timeout_s: float = 5.0) -> bool:
    """Whether `/readyz` there answers 200."""
    try:
        with socket.create_connection(("127.0.0.1" if host in ("0.0.0.0", "::") else host, port), timeout_s) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def check(service: str) -> bool:
    """Of the API, or of the worker where only that answers; by the settings that `settings` would read."""
    section: dict[str, Any] = {}
    for path in sorted(Path(os.environ.get("SYNNEFO_ETC") or DEFAULT_ETC).glob("*.toml")):
        section |= tomllib.loads(path.read_text()).get(service, {})
    for key in ("listen_host", "listen_port", "worker_port"):
        section[key] = os.environ.get(f"SYNNEFO_{service.upper()}_{key.upper()}", section.get(key))
    ports = [int(section["listen_port"] or 0) or DEFAULT_PORTS[service], int(section["worker_port"] or 0)]
    return any(is_ready(section["listen_host"] or "127.0.0.1", port) for port in ports if port)


if __name__ == "__main__":
    sys.exit(0 if check(sys.argv[1]) else 1)
