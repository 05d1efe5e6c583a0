"""The cloud of deploy/compose.yml, really run: where an engine answers, or where root can start one (package docker.io)."""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synnefo_common.settings import SERVICES
from synnefo_common.testing.waiting import wait_until
from synnefo_local.compose import Compose
from synnefo_local.layout import free_ports
from tests.observability.test_metrics import board_expressions, rules
from tests.operations.engine import ROOT, engine
from tests.operations.guides import DOCS, commands

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(3600), pytest.mark.xdist_group("containers")]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of make: an engine, and a project of our own."""
    with engine(tmp_path_factory.mktemp("engine")) as found:
        gateway, prometheus = free_ports(2)
        state = tmp_path_factory.mktemp("cloud")
        env = {
            **found, "SYNNEFO_STATE": str(state), "COMPOSE_PROJECT_NAME": "synnefotest", "GATEWAY_PORT": str(gateway),
            "PROMETHEUS_PORT": str(prometheus), "COMPOSE_PROFILES": "packets" if Path("/dev/net/tun").exists() else "",
        }  # fmt: skip
        try:
            make("compose-up", env)
            yield env
        finally:
            subprocess.run(["make", "compose-clean"], cwd=ROOT, env=env, capture_output=True, check=False)


def make(target: str, env: dict[str, str]) -> None:
    done = subprocess.run(["make", target], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{target}: {done.stdout[-4000:]}{done.stderr[-4000:]}"


def ask_prometheus(env: dict[str, str], query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{env['PROMETHEUS_PORT']}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=20) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def type_in(text: str, env: dict[str, str]) -> str:
    """As a reader's shell does, but with our state folder and project; every command must succeed."""
    text = text.replace(".synnefo-compose", env["SYNNEFO_STATE"]).replace("-p synnefo ", f"-p {env['COMPOSE_PROJECT_NAME']} ")
    done = subprocess.run(["bash", "-euxo", "pipefail", "-c", text], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def docker(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([env.get("DOCKER", "docker"), *arguments], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def test_the_commands_of_the_quick_install_work_and_the_demonstration_passes_again_after_a_stop(env: dict[str, str]) -> None:
    guide = commands(DOCS / "quick-install.md")
    type_in(guide["Quick install: a cloud in containers"], env)
    make("compose-up", env)
    make("demo", env)
    type_in(guide["Watching it"], env)


@pytest.mark.parametrize("name", [*SERVICES, "fake-ganeti"])
def test_images_are_small_hold_no_secret_and_run_as_nobody(env: dict[str, str], name: str) -> None:
    image = json.loads(docker(env, "image", "inspect", f"synnefo/{name}:dev"))[0]
    assert image["Size"] < 300_000_000
    assert image["Config"]["User"] == "synnefo"
    assert image["Config"]["Healthcheck"]
    history = docker(env, "history", "--no-trunc", "--format", "{{.CreatedBy}}", f"synnefo/{name}:dev")
    assert "PIP_" not in history + str(image["Config"]["Env"])
    left = "test ! -s /etc/pip.conf && test ! -e /run/ca.crt && test ! -e /root/.config"
    docker(env, "run", "--rm", "--entrypoint", "sh", f"synnefo/{name}:dev", "-c", left)


def test_processes_of_the_services_cannot_write_to_their_images(env: dict[str, str]) -> None:
    for container in docker(env, "ps", "-q", "--filter", f"label=com.docker.compose.project={env['COMPOSE_PROJECT_NAME']}").split():
        found = json.loads(docker(env, "inspect", container))[0]
        service = found["Config"]["Labels"]["com.docker.compose.service"]
        assert set(found["HostConfig"]["CapDrop"]) == {"ALL"}, service
        if service.removesuffix("-worker") in SERVICES:
            assert found["HostConfig"]["ReadonlyRootfs"], service


def test_the_block_store_is_looked_after_and_policies_have_pools_of_their_own(env: dict[str, str]) -> None:
    said = type_in(
        """source .synnefo-compose/openrc
        openstack container create --storage-policy archive kept
        head -c 3000000 /dev/urandom >"$SYNNEFO_STATE/file"
        openstack object create kept "$SYNNEFO_STATE/file" --name file
        OS_CLOUD=admin synnefo storage gc
        OS_CLOUD=admin synnefo storage scrub
        OS_CLOUD=admin synnefo storage stats --pool archive --json
        openstack container delete --recursive kept""",
        env,
    )
    found = re.search(r'"bytes": (\d+)', said)
    assert found
    assert int(found[1]) >= 3_000_000


async def test_servers_on_two_nodes_of_ovn_reach_each_other(env: dict[str, str]) -> None:
    if not env["COMPOSE_PROFILES"]:
        pytest.skip("no /dev/net/tun: OVN's nodes cannot run")
    said = type_in(
        """source .synnefo-compose/openrc
        openstack network create packets >/dev/null
        openstack subnet create --network packets --subnet-range 10.9.0.0/24 packets >/dev/null
        for n in 1 2; do openstack port create --network packets "packets$n" -f json | tr -d '\n'; echo; done""",
        env,
    )
    ports = [json.loads(line) for line in said.splitlines()]
    nodes = [docker(env, "ps", "-q", "--filter", f"label=com.docker.compose.service=chassis{n}") for n in (1, 2)]
    for node, port in zip(nodes, ports, strict=True):
        plug = ["ovs-vsctl", "add-port", "br-int", "guest", "--", "set", "Interface", "guest", "type=internal"]
        docker(env, "exec", node, *plug, f"external_ids:iface-id={port['id']}", f'mac="{port["mac_address"]}"')
        docker(env, "exec", node, "ip", "addr", "add", f"{port['fixed_ips'][0]['ip_address']}/24", "dev", "guest")
        docker(env, "exec", node, "ip", "link", "set", "guest", "mtu", "1442", "up")

    def reaches() -> bool:
        there = ports[1]["fixed_ips"][0]["ip_address"]
        ping = [env.get("DOCKER", "docker"), "exec", nodes[0], "ping", "-q", "-c", "3", "-i", "0.2", "-W", "1", "-s", "1400", there]
        return subprocess.run(ping, env=env, capture_output=True, check=False).returncode == 0

    await wait_until(reaches, timeout_s=60, what="packets pass between the nodes")
    await wait_until(lambda: "DOWN" not in type_in(LIST_PORTS, env), timeout_s=60, what="ports are ACTIVE")
    for node in nodes:
        docker(env, "exec", node, "ovs-vsctl", "del-port", "br-int", "guest")
    type_in("source .synnefo-compose/openrc && openstack port delete packets1 packets2 && openstack network delete packets", env)


LIST_PORTS = "source .synnefo-compose/openrc && openstack port list --network packets -f value -c Status"


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
    named = {re.sub("_(bucket|sum|count)$", "", name) for expression in asked for name in re.findall(r"\b(?:synnefo|process)_\w+", expression)}
    assert named - shown(env) == set(), "processes do not show what boards and alerts name"


def shown(env: dict[str, str]) -> set[str]:
    """The metrics that the processes have, with a value or without."""
    with urllib.request.urlopen(f"http://127.0.0.1:{env['PROMETHEUS_PORT']}/api/v1/metadata", timeout=20) as answer:
        return set(json.load(answer)["data"])


def answers(env: dict[str, str], query: str) -> int:
    """How many series; 0 while Prometheus starts."""
    try:
        return len(ask_prometheus(env, query))
    except OSError:
        return 0
