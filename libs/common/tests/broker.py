"""A private RabbitMQ for tests, started by deploy/local/infra."""

from __future__ import annotations

import subprocess
from pathlib import Path

INFRA = Path(__file__).resolve().parents[3] / "deploy/local/infra"
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Broker:
    """A broker that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def up(self) -> None:
        done = subprocess.run(
            [INFRA / "rabbitmq-up", self.folder], check=True, capture_output=True, text=True, timeout=120
        )
        for line in done.stdout.splitlines():
            if "AMQP_URL=" in line:
                self.url = line.split("AMQP_URL=", 1)[1].strip().strip("'\"")

    def down(self) -> None:
        subprocess.run([INFRA / "rabbitmq-down", self.folder], check=True, capture_output=True, timeout=60)


def missing() -> str | None:
    """Why no broker can be started here."""
    if not (INFRA / "rabbitmq-up").exists():
        return "deploy/local/infra/rabbitmq-up is not in this checkout"
    if not SERVER.exists():
        return "the Debian package rabbitmq-server is not installed"
    return None
