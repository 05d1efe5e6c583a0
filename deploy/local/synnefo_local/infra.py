"""PostgreSQL, RabbitMQ and RADOS of the full profile: private copies, run by the scripts in `deploy/local/infra`."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from synnefo_local.etc_files import Backends
from synnefo_local.layout import CHECKOUT, SERVICES, Layout, LocalError

SCRIPTS = CHECKOUT / "deploy/local/infra"
PARTS = ("postgres", "rabbitmq", "rados")
NOT_INSTALLED = 3  # exit status with which every script says that a package is missing
THROWAWAY = {"PG_DURABLE": "0", "RADOS_STORE": "memstore", "RADOS_AUTH": "none", "RADOS_OSD_GB": "2"}


def run_script(argv: list[str], *, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Run a script that prints KEY=VALUE lines; LocalError with its complaint when it fails."""
    # Files and no pipes: a daemon that keeps its starter's output open would hold us for ever.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = subprocess.run(argv, env={**os.environ, **(env or {})}, stdout=out, stderr=err, check=False).returncode
        out.seek(0)
        err.seek(0)
        said, complaint = out.read(), err.read()
    if code:
        raise LocalError(f"{' '.join(argv)} failed ({code}):\n{(complaint or said).strip()[-4000:]}")
    pairs = (line.partition("=") for line in said.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def install_packages() -> None:
    done = subprocess.run([str(SCRIPTS / "install-packages")], check=False)
    if done.returncode:
        raise LocalError("the packages of the full profile are not there")


def start_infra(layout: Layout, memory: Mapping[str, Any], *, throwaway: bool) -> Backends:
    """Start all three at once (each is found running when it is) and make the services' databases."""
    size = {"RADOS_OSD_GB": os.environ["SYNNEFO_RADOS_GB"]} if "SYNNEFO_RADOS_GB" in os.environ else {}
    env = THROWAWAY | size if throwaway else {"RADOS_OSD_GB": "10"} | size
    with ThreadPoolExecutor(len(PARTS)) as pool:
        started = {
            part: pool.submit(run_script, [str(SCRIPTS / f"{part}-up"), str(layout.real / part)], env=env)
            for part in PARTS
        }
        facts = {part: future.result() for part, future in started.items()}
    create_databases(facts["postgres"], memory["passwords"])
    port = facts["postgres"]["PGPORT"]
    return Backends(
        bus_url=facts["rabbitmq"]["AMQP_URL"],
        database_urls={
            name: f"postgresql://synnefo_{name}:{memory['passwords'][f'database/{name}']}@127.0.0.1:{port}/synnefo_{name}"
            for name in SERVICES
        },
        store_url=f"rados://{facts['rados']['CEPH_CONF']}?maps=maps&blocks=blocks",
    )


def create_databases(postgres: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    """A role and a database per service; no other role may connect to it."""
    lines = []
    for service in SERVICES:
        name, password = f"synnefo_{service}", passwords[f"database/{service}"]
        lines += [
            f"SELECT 'CREATE ROLE {name} LOGIN' "
            f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec",
            f"SELECT 'ALTER ROLE {name} PASSWORD ''{password}''' WHERE NOT EXISTS "
            f"(SELECT FROM pg_authid WHERE rolname = '{name}' AND rolpassword IS NOT NULL) \\gexec",
            f"SELECT 'CREATE DATABASE {name} OWNER {name}' "
            f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec",
            f"SELECT 'REVOKE CONNECT ON DATABASE {name} FROM PUBLIC' "
            f"WHERE has_database_privilege('public', '{name}', 'CONNECT') \\gexec",
        ]
    connection = ["-h", postgres["PGHOST"], "-p", postgres["PGPORT"], "-U", postgres["PGUSER"], "-d", "postgres"]
    done = subprocess.run(
        [f"{postgres['PG_BIN']}/psql", *connection, "-Atqw", "-v", "ON_ERROR_STOP=1"],
        input="\n".join(lines) + "\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LocalError(f"cannot make the databases: {done.stderr.strip()}")


def stop_infra(layout: Layout, *, purge: bool = False) -> list[str]:
    """Stop what we started; with `purge` at once and for ever. Returns what was running."""
    running = {name.partition("-")[0] for name, (pid, _) in infra_pids(layout).items() if pid}
    parts = [part for part in PARTS if (layout.real / part / "settings").exists()]
    extra = ["--purge"] if purge else []
    with ThreadPoolExecutor(len(PARTS)) as pool:
        list(pool.map(lambda p: run_script([str(SCRIPTS / f"{p}-down"), str(layout.real / p), *extra]), parts))
    return [part for part in parts if part in running]


def infra_pids(layout: Layout) -> dict[str, tuple[int | None, Path]]:
    """Pid (None when down) and log of each part that was ever started."""
    places = {
        "postgres": ("postgres/data/postmaster.pid", "postgres/run/postgres.log"),
        "rabbitmq": ("rabbitmq/run/rabbitmq.pid", "rabbitmq/log/console.out"),
        "rados-mon": ("rados/run/mon.a.pid", "rados/log/mon.a.log"),
        "rados-osd": ("rados/run/osd.0.pid", "rados/log/osd.0.log"),
    }
    found: dict[str, tuple[int | None, Path]] = {}
    for name, (pid_file, log) in places.items():
        if not (layout.real / name.partition("-")[0] / "settings").exists():
            continue
        try:
            pid = int((layout.real / pid_file).read_text().split()[0])
            # Each carries its state folder in its command line or its environment: a recycled pid does not.
            ours = any(
                str(layout.real).encode() in Path(f"/proc/{pid}/{f}").read_bytes() for f in ("cmdline", "environ")
            )
        except (OSError, ValueError, IndexError):
            ours = False
        found[name] = (pid if ours else None, layout.real / log)
    return found
