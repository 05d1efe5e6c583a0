"""The cloud of deploy/compose.yml, really run: where an engine answers, or where root can start one (package docker.io)."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synnefo_common.testing.waiting import wait_until
from synnefo_local.compose import Compose
from synnefo_local.layout import free_ports
from tests.observability.test_metrics import board_expressions, rules

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "deploy/local/infra"

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(3600), pytest.mark.xdist_group("containers")]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of make: an engine, and a project of our own."""
    folder = tmp_path_factory.mktemp("engine")
    started = subprocess.run([INFRA / "engine-up", folder], capture_output=True, text=True, check=False, timeout=300)
    if started.returncode == 3:
        pytest.skip(started.stderr.strip().splitlines()[-1])
    assert started.returncode == 0, started.stderr
    gateway, prometheus = free_ports(2)
    found = dict(line.split("=", 1) for line in started.stdout.splitlines())
    state = tmp_path_factory.mktemp("cloud")
    env = {
        **os.environ, **found, "SYNNEFO_STATE": str(state), "COMPOSE_PROJECT_NAME": "synnefotest",
        "GATEWAY_PORT": str(gateway), "PROMETHEUS_PORT": str(prometheus),
    }  # fmt: skip
    try:
        make("compose-up", env)
        yield env
    finally:
        subprocess.run(["make", "compose-clean"], cwd=ROOT, env=env, capture_output=True, check=False)
        subprocess.run([INFRA / "engine-down", folder, "--purge"], capture_output=True, check=False)


def make(target: str, env: dict[str, str]) -> None:
    done = subprocess.run(["make", target], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{target}: {done.stdout[-4000:]}{done.stderr[-4000:]}"


def ask_prometheus(env: dict[str, str], query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{env['PROMETHEUS_PORT']}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=20) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def test_the_demonstration_passes_and_passes_again_after_a_stop(env: dict[str, str]) -> None:
    make("demo", env)
    make("compose-down", env)
    make("compose-up", env)
    make("demo", env)


def test_no_request_fails_while_every_service_is_replaced(env: dict[str, str]) -> None:
    command = [str(ROOT / ".venv/bin/python"), "-m", "tests.operations.rolling", "10000"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


async def test_prometheus_reads_every_process_and_answers_what_boards_and_alerts_ask(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER", "PROMETHEUS_PORT"):
        if name in env:
            monkeypatch.setenv(name, env[name])
    Compose(Path(env["SYNNEFO_STATE"])).run("--profile", "observability", "up", "-d", "prometheus")
    await wait_until(lambda: answers(env, "up == 1") == 14, timeout_s=90, what="all targets are scraped")
    asked = [rule["expr"] for rule in rules()] + [expression for _, expression in board_expressions()]
    for expression in asked:
        if not expression.startswith("label_values"):
            ask_prometheus(env, expression.replace("$__rate_interval", "1m").replace("$service", ".*").replace("$cluster", ".*"))


def answers(env: dict[str, str], query: str) -> int:
    """How many series; 0 while Prometheus starts."""
    try:
        return len(ask_prometheus(env, query))
    except OSError:
        return 0
