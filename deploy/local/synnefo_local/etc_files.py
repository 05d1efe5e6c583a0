"""Writes the settings of a local cloud: one TOML file per component, made from the remembered ports and passwords.

The files are rewritten by each `up` and always say the same for the same state. An operator's own settings go into
`etc/90-local.toml`, which is read after them and never touched.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synnefo_local.layout import SERVICES, Layout, service_ports, write_private

REGION = "RegionOne"
STORE_USERS = ("image", "volume", "object")


@dataclass(frozen=True)
class Backends:
    """Where the services' bus, databases and blocks are."""

    bus_url: str
    database_urls: Mapping[str, str]
    store_url: str
    network: Mapping[str, str] = field(default_factory=dict)  # the network service's settings of OVN; none: no packets
    second_store_url: str = ""


def embedded_backends(layout: Layout) -> Backends:
    return Backends(
        bus_url="memory:",
        database_urls={name: f"sqlite:///{layout.data / f'{name}.db'}" for name in SERVICES},
        store_url=f"file://{layout.data / 'store'}",
        second_store_url=f"file://{layout.data / 'store-archive'}",
    )


def sections(memory: Mapping[str, Any], backends: Backends) -> dict[str, dict[str, Any]]:
    """Every section by name; nested tables are nested dictionaries."""
    ports, passwords = service_ports(memory), memory["passwords"]
    urls = {name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES}
    tables: dict[str, dict[str, Any]] = {
        "common": {
            "region": REGION,
            "bus_url": backends.bus_url,
            "log_format": "console",
            "internal_urls": urls,
            "public_urls": urls,
        }
    }
    for name in SERVICES:
        tables[name] = {
            "listen_host": "127.0.0.1",
            "listen_port": ports[name],
            "database_url": backends.database_urls[name],
            "service_password": passwords[f"service/{name}"],
        }
    for name in STORE_USERS:
        tables[name]["store_url"] = backends.store_url
    tables["network"].update(backends.network)
    if backends.network:  # Ganeti's NICs are plugged into OVN's switch
        tables["compute"].update({"nic_mode": "openvswitch", "nic_link": "br-int"})
        # The nodes' metadata proxies come from networks of their own, one for each cluster.
        tables["compute"].update(
            {"metadata_secret": passwords["metadata"], "metadata_host": "0.0.0.0", "metadata_port": ports["metadata"]}
        )
    if backends.second_store_url:
        tables["object"]["policies"] = [{"name": "Policy-0", "default": True}, {"name": "archive", "store_url": backends.second_store_url}]
        tables["volume"]["pools"] = {"archive": backends.second_store_url}
    tables["identity"]["bootstrap"] = {
        **{f"{user}_password": passwords[user] for user in ("admin", "demo", "alt_demo")},
        "service_passwords": {name: passwords[f"service/{name}"] for name in SERVICES if name != "identity"},
    }
    return tables


def render(name: str, table: Mapping[str, Any]) -> str:
    """One TOML table with its sub-tables. JSON strings, integers and booleans are TOML's too."""
    lines = [f"[{name}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in table.items() if not (isinstance(value, Mapping) or _is_table_list(value))]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", render(f"{name}.{key}", value).rstrip()]
    for key, value in table.items():
        if _is_table_list(value):
            lines += [part for row in value for part in ("", render(f"[{name}.{key}]", row).rstrip())]
    return "\n".join(lines) + "\n"


def _is_table_list(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(row, Mapping) for row in value)


def write_settings(layout: Layout, memory: Mapping[str, Any], backends: Backends) -> None:
    for number, (name, table) in enumerate(sections(memory, backends).items(), start=10):
        head = "# Written by `make up`. Put your own settings into 90-local.toml beside this file: it wins.\n"
        replace_if_changed(layout.etc / f"{number}-{name}.toml", head + render(name, table))


def replace_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        write_private(path, text)
