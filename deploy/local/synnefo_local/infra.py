"""PostgreSQL, RabbitMQ, RADOS and OVN of the full profile: private copies, run by the scripts in `deploy/local/infra`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from synnefo_local.etc_files import Backends
from synnefo_local.layout import CHECKOUT, SERVICES, Layout, LocalError, load_memory, service_ports, write_private

SCRIPTS = CHECKOUT / "deploy/local/infra"
PARTS = ("postgres", "rabbitmq", "rados")
NOT_INSTALLED = 3  # exit status with which every script says that a package is missing
OVN_PACKAGES = (
    "openvswitch-switch", "ovn-central", "ovn-host", "iproute2", "ethtool", "tcpdump", "iputils-ping", "netcat-openbsd", "udhcpc", "ndisc6",
)  # fmt: skip
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


def why_no_ovn() -> str | None:
    """Why networks cannot carry packets on this machine or for this user, or None."""
    if os.geteuid() != 0:
        return "OVN needs root"
    if not Path("/dev/net/tun").exists():
        return "OVN needs /dev/net/tun"
    return None


def choose_network(*, throwaway: bool, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """`ovn` or `memory`, and why, if nobody asked for that. SYNNEFO_NETWORK asks. LocalError if it asks for what cannot be."""
    asked, reason = environ.get("SYNNEFO_NETWORK", ""), why_no_ovn()
    if asked not in ("", "ovn", "memory"):
        raise LocalError(f"SYNNEFO_NETWORK is {asked!r}: ovn or memory")
    if asked == "ovn" and reason:
        raise LocalError(f"{reason}: use SYNNEFO_NETWORK=memory, whose networks carry no packets")
    if asked or throwaway:
        return asked or "memory", ""
    return ("memory", f"networks will carry no packets: {reason}") if reason else ("ovn", "")


def start_ovn(layout: Layout, memory: Mapping[str, Any]) -> dict[str, str]:
    """OVN's databases and nodes; the settings of the network service that lead there. Nodes that join find what metadata proxies need."""
    if not all(shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("ovn-northd", "ovs-vswitchd", "udhcpc")):
        done = subprocess.run([str(SCRIPTS / "install-packages"), *OVN_PACKAGES], check=False)
        if done.returncode:
            raise LocalError("OVN is not there: use SYNNEFO_NETWORK=memory, whose networks carry no packets")
    facts = run_script([str(SCRIPTS / "ovn-up"), str(layout.real / "ovn")], env={"OVN_HOST": "1"})
    write_private(layout.real / "ovn/metadata-secret", memory["passwords"]["metadata"])
    write_private(layout.real / "ovn/metadata-port", str(service_ports(memory)["metadata"]))
    return {
        "ovn_northbound": facts["OVN_NORTHBOUND"],
        "ovn_southbound": facts["OVN_SOUTHBOUND"],
        "ovn_northd_remote": facts["OVN_NORTHD_REMOTE"],
    }


def packet_names(layout: Layout) -> dict[str, str] | None:
    """What the story's commands name of OVN: `lab`, the script and its state, and `outside`, the namespace at the other end of
    the external network. None where networks carry no packets."""
    if load_memory(layout).get("network") != "ovn":
        return None
    place = layout.real / "ovn"
    facts = dict(line.split("=", 1) for line in (place / "settings").read_text().splitlines())
    return {"lab": f"{SCRIPTS / 'ovn-lab'} {place}", "outside": facts["OVN_OUTSIDE"]}


def start_infra(layout: Layout, memory: Mapping[str, Any], *, throwaway: bool) -> Backends:
    """Start all at once (each is found running when it is) and make the services' databases."""
    size = {"RADOS_OSD_GB": os.environ["SYNNEFO_RADOS_GB"]} if "SYNNEFO_RADOS_GB" in os.environ else {}
    env = THROWAWAY | size if throwaway else {"RADOS_OSD_GB": "10"} | size
    with ThreadPoolExecutor(len(PARTS) + 1) as pool:
        network = pool.submit(start_ovn, layout, memory) if memory.get("network") == "ovn" else None
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
        network=network.result() if network is not None else {},
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
    parts = [part for part in (*PARTS, "ovn") if (layout.real / part / "settings").exists()]
    extra = ["--purge"] if purge else []
    with ThreadPoolExecutor(len(PARTS) + 1) as pool:
        list(pool.map(lambda p: run_script([str(SCRIPTS / f"{p}-down"), str(layout.real / p), *extra]), parts))
    return [part for part in parts if part in running]


def infra_pids(layout: Layout) -> dict[str, tuple[int | None, Path]]:
    """Pid (None when down) and log of each part that was ever started."""
    places = {
        "postgres": ("postgres/data/postmaster.pid", "postgres/run/postgres.log"),
        "rabbitmq": ("rabbitmq/run/rabbitmq.pid", "rabbitmq/log/console.out"),
        "rados-mon": ("rados/run/mon.a.pid", "rados/log/mon.a.log"),
        "ovn-northbound": ("ovn/central/nb.pid", "ovn/central/nb.log"),
        "ovn-southbound": ("ovn/central/sb.pid", "ovn/central/sb.log"),
        "ovn-northd": ("ovn/central/northd.pid", "ovn/central/northd.log"),
        "rados-osd": ("rados/run/osd.0.pid", "rados/log/osd.0.log"),
    }
    for node in sorted((layout.real / "ovn").glob("ch[0-9]*")):
        for daemon, log in (("ovs-vswitchd", "vswitchd.log"), ("ovn-controller", "controller.log")):
            places[f"ovn-{node.name}-{daemon}"] = (f"ovn/{node.name}/{daemon}.pid", f"ovn/{node.name}/{log}")
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
