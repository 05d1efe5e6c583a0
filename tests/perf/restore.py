"""How long all databases of a cloud with things in it take to be copied and brought back; `synnefo audit` must find nothing afterwards."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.perf import load
from tests.perf.cloud import Cloud
from tests.perf.figures import Figure
from tests.stack import Stack

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SERVERS, PORTS, OBJECTS = 20, 1000, 5000
AUDIT_S = 180


def _timed(command: list[str], env: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=600)
    return time.monotonic() - began


def measure_restore(profile: str) -> Iterator[Figure]:
    """On a cloud of its own, which the other figures' cloned rows would make inconsistent."""
    with Stack(profile, "fake") as stack:
        cloud = Cloud(stack)
        url = f"{stack.url('object')}/v1/AUTH_{cloud.project_id}/kept"
        load.run(url, n=1, clients=1, method="PUT", expect=201, headers=cloud.headers)
        load.run(f"{url}/{{i}}", n=OBJECTS, clients=8, method="PUT", expect=201, headers=cloud.headers, size=1024)
        for _ in range(PORTS // 100):
            cloud.call("network", "POST", "/v2.0/ports", {"ports": [{"network_id": cloud.network_id}] * 100})
        for number in range(SERVERS):
            cloud.boot(f"kept-{number}")
        cloud.close()
        copies = stack.directory / "copies"
        env = {**os.environ, "SYNNEFO_ETC": str(stack.layout.etc)}
        seconds = _timed([str(DEPLOY / "backup"), str(copies)], env)
        size = sum(path.stat().st_size for path in copies.iterdir()) / 1e6
        what = {"servers": SERVERS, "ports": PORTS, "objects": OBJECTS, "MB": size}
        yield Figure("backup of all databases, cloud running", seconds, "s", "", what)
        stack.stop_services()
        restored = _timed([str(DEPLOY / "restore"), str(copies)], env)
        began = time.monotonic()
        stack.start()
        up = time.monotonic() - began
        began = time.monotonic()
        while subprocess.run(["synnefo", "audit"], env=stack.env("admin"), capture_output=True, check=False).returncode:
            if time.monotonic() - began > AUDIT_S:
                raise RuntimeError("the audit still finds something")
            time.sleep(1)
        yield Figure("restore of all databases", restored, "s", "", {"then up s": up, "then audit clean s": time.monotonic() - began})
