"""Writes `clouds.yaml` and `openrc`, with which the OpenStack clients find the local cloud."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synnefo_local.etc_files import REGION, replace_if_changed
from synnefo_local.layout import Layout, service_ports

CLOUDS = ("admin", "demo", "alt_demo")


def identity_url(memory: Mapping[str, Any]) -> str:
    return f"http://127.0.0.1:{service_ports(memory)['identity']}/v3"


def clouds(memory: Mapping[str, Any]) -> dict[str, Any]:
    """User, project and cloud have the same name."""
    return {
        name: {
            "auth": {
                "auth_url": identity_url(memory),
                "username": name,
                "password": memory["passwords"][name],
                "project_name": name,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": REGION,
            "interface": "public",
            "identity_api_version": 3,
        }
        for name in CLOUDS
    }


def openrc(layout: Layout) -> str:
    lines = [
        "# source this: the OpenStack clients then speak to this Synnefo as user demo (operator: OS_CLOUD=admin)",
        f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"',
        f"export SYNNEFO_STATE={shlex.quote(str(layout.root))}",
        f"export OS_CLIENT_CONFIG_FILE={shlex.quote(str(layout.root / 'clouds.yaml'))}",
        'export OS_CLOUD="${OS_CLOUD:-demo}"',
    ]
    return "\n".join(lines) + "\n"


def write_client_files(layout: Layout, memory: Mapping[str, Any]) -> None:
    """At the root of the state folder: they name the cloud that was started last. JSON is YAML."""
    replace_if_changed(layout.root / "clouds.yaml", json.dumps({"clouds": clouds(memory)}, indent=2) + "\n")
    replace_if_changed(layout.root / "openrc", openrc(layout))


def client_env(layout: Layout, *, cloud: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What `source openrc` gives, for a child process."""
    env = {key: value for key, value in environ.items() if not key.startswith("OS_")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', '')}"
    env["SYNNEFO_STATE"] = str(layout.root)
    env["OS_CLIENT_CONFIG_FILE"] = str(layout.root / "clouds.yaml")
    env["OS_CLOUD"] = cloud
    return env
