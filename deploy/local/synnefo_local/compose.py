"""The cloud of `deploy/compose.yml`: started, seeded and stopped as `up` and `down` do it for processes.

Its state folder holds the passwords (`.env`) and what clients need; all else is in the engine's volumes.
"""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from synnefo_local.client_files import clouds, openrc
from synnefo_local.ganeti import Cluster
from synnefo_local.layout import CHECKOUT, CLUSTERS, SERVICES, Layout, LocalError, claim, remove, write_private
from synnefo_local.seed import seed

Say = Callable[[str], None]
FILE = CHECKOUT / "deploy/compose.yml"
COMMAND_S = 900
STOP_S = 30  # compose.yml: stop_grace_period
PASSWORDS = ("ADMIN", "DEMO", "ALT_DEMO", "SERVICE", "DATABASE", "RABBITMQ")


def compose_root() -> Path:
    """The state folder: SYNNEFO_STATE, else `.synnefo-compose` of the checkout, apart from that of `make up`."""
    return Path(os.environ.get("SYNNEFO_STATE") or CHECKOUT / ".synnefo-compose").absolute()


class Compose:
    """docker-compose with our file, project and variables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = read_env(root / ".env")
        self._command = [*engine(), "-p", self.env["COMPOSE_PROJECT_NAME"], "-f", str(FILE)]

    def run(self, *arguments: str, check: bool = True) -> str:
        """What it prints. LocalError with its complaint."""
        return self._run([*self._command, *arguments], check=check)

    def docker(self, *arguments: str) -> str:
        """The engine's own command, for what compose has no word for."""
        return self._run([docker(), *arguments])

    def _run(self, command: Sequence[str], *, check: bool = True) -> str:
        try:
            done = subprocess.run(
                command, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"{' '.join(command)}: no end after {COMMAND_S} s") from error
        if check and done.returncode:
            raise LocalError(f"{' '.join(command)}:\n{(done.stderr or done.stdout).strip()[-4000:]}")
        return done.stdout

    def read(self, service: str, path: str) -> str:
        """A file in a container."""
        return self.run("exec", "-T", service, "cat", path)


def docker() -> str:
    return os.environ.get("DOCKER", "docker")


def engine() -> list[str]:
    """`docker compose` or `docker-compose`. LocalError when there is none, or no engine that answers."""
    for command in ([docker(), "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            if subprocess.run([docker(), "info"], capture_output=True, check=False).returncode:
                raise LocalError("no container engine answers `docker info`: start it, or set DOCKER_HOST")
            return command
    raise LocalError("neither `docker compose` nor `docker-compose` is installed")


def read_env(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))


def write_env(root: Path) -> None:
    """Passwords and the project's name, chosen once; what the caller's environment says of ports is remembered."""
    path = root / ".env"
    env = read_env(path) if path.exists() else {}
    for name in PASSWORDS:
        env.setdefault(f"{name}_PASSWORD", secrets.token_urlsafe(18))
    env.setdefault("COMPOSE_PROJECT_NAME", "synnefo")
    for name in ("COMPOSE_PROJECT_NAME", "GATEWAY_PORT", "GATEWAY_ADDRESS", "RADOS_GB", "SYNNEFO_VERSION", "COMPOSE_PROFILES"):
        if os.environ.get(name):
            env[name] = os.environ[name]
    write_private(path, "".join(f"{key}={value}\n" for key, value in sorted(env.items())), durable=True)


def up(root: Path, *, say: Say) -> None:
    """Start, wait until every service is healthy, write the clients' files, seed. Safe to repeat."""
    began = time.monotonic()
    claim(root)
    write_env(root)
    compose = Compose(root)
    compose.run("up", "-d", "--remove-orphans")
    say(f"containers started after {time.monotonic() - began:.1f} s")
    url = f"https://localhost:{compose.env.get('GATEWAY_PORT', '8443')}"
    authority = root / "ca.crt"
    write_private(authority, compose.read("gateway", "/var/lib/synnefo/ca.crt"))
    write_clients(root, compose.env, url, authority)
    os.environ["SSL_CERT_FILE"] = str(authority)  # for our own calls below
    made = seed({name: f"{url}/{name}" for name in SERVICES}, compose.env["ADMIN_PASSWORD"], fake_clusters(compose), has_packets=True)
    say(f"seeded {', '.join(made)}" if made else "the seed is there")
    say(f"up after {time.monotonic() - began:.1f} s")


def write_clients(root: Path, env: Mapping[str, str], url: str, authority: Path) -> None:
    """`clouds.yaml` and `openrc`, as `make up` writes them, with the gateway and its authority."""
    memory = {"passwords": {name: env[f"{name.upper()}_PASSWORD"] for name in ("admin", "demo", "alt_demo")}, "port_base": 0}
    entries = clouds(memory)
    for entry in entries.values():
        entry["auth"]["auth_url"] = f"{url}/identity/v3"
        entry["cacert"] = str(authority)
    write_private(root / "clouds.yaml", json.dumps({"clouds": entries}, indent=2) + "\n")
    write_private(root / "openrc", openrc(Layout(root, "embedded")))


def fake_clusters(compose: Compose) -> list[Cluster]:
    """The two clusters of the container `ganeti`, under the name by which the dispatcher reaches it."""
    found = []
    for name in CLUSTERS:
        facts = json.loads(compose.read("ganeti", f"/var/lib/synnefo/{name}/cluster.json"))
        url = facts["url"].replace("0.0.0.0", "ganeti")
        found.append(Cluster(name, url, facts["user"], facts["password"], compose.read("ganeti", facts["certificate"])))
    return found


def roll(root: Path, *, say: Say, names: Sequence[str] = ()) -> None:
    """Replace services (default: all) one by one while they serve: each new container is ready before the old one is told to end.

    It takes the images as they are now, so that this is an upgrade too, once the databases are migrated.
    """
    compose = Compose(root)
    for name in names or [name for service in SERVICES for name in (service, f"{service}-worker")]:
        began = time.monotonic()
        old = compose.run("ps", "-q", name).split()
        compose.run("up", "-d", "--no-deps", "--no-recreate", "--scale", f"{name}={2 * len(old)}", name)
        new = [container for container in compose.run("ps", "-q", name).split() if container not in old]
        wait_healthy(compose, new)
        for container in old:
            compose.docker("stop", "-t", str(STOP_S), container)
            compose.docker("rm", container)
        say(f"{name}: {len(new)} of {len(old)} replaced in {time.monotonic() - began:.1f} s")


def wait_healthy(compose: Compose, containers: Sequence[str], *, timeout_s: float = 120) -> None:
    until = time.monotonic() + timeout_s
    while any(compose.docker("inspect", "-f", "{{.State.Health.Status}}", container).strip() != "healthy" for container in containers):
        if time.monotonic() > until:
            raise LocalError(f"not healthy after {timeout_s:.0f} s: {' '.join(containers)}")
        time.sleep(0.5)


def down(root: Path, *, say: Say, purge: bool = False) -> None:
    """Stop and remove the containers; with `purge` the volumes and the state folder too."""
    if not (root / ".env").exists():
        return
    Compose(root).run("down", "--remove-orphans", *(["--volumes"] if purge else []))
    say("removed the containers" + (" and their volumes" if purge else "; volumes and passwords are kept"))
    if purge:
        remove(root)
