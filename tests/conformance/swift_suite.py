"""Swift's own functional tests, of its API and of S3: their environment, the users that they need, and the run."""

from __future__ import annotations

import configparser
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openstack
import yaml

VERSION = "2.38.3"
TOOLS = Path(os.environ.get("SYNNEFO_CONFORMANCE_SWIFT_ENV", ".venv-conformance-swift")).absolute()
LEFT_OUT = Path(__file__).with_name("left_out_swift.txt")
# What the tests import; Swift itself is not installed, they run in its source.
NEEDS = (
    "pytest", "boto3", "cryptography", "dnspython", "eventlet", "keystonemiddleware", "lxml", "netaddr", "PasteDeploy", "pyeclib", "pip",
    "python-keystoneclient", "python-swiftclient", "requests", "setuptools", "six", "xattr",
)  # fmt: skip
# Name, project, domain, role: as the tests' table of users has them. The third has no role that means anything to a store.
USERS = (
    ("tester", "test", "Default", "member"),
    ("tester2", "test2", "Default", "member"),
    ("tester3", "test", "Default", "swift-nobody"),
    ("tester4", "test4", "test-domain", "member"),
    ("tester6", "test", "Default", "ResellerAdmin"),
)


def tools() -> Path:
    """The folder of Swift's source, with the environment made at first use."""
    python = TOOLS / "bin" / "python"
    source = TOOLS / "src" / f"swift-{VERSION}"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", str(TOOLS)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *NEEDS], check=True)
    if not source.exists():
        source.parent.mkdir(exist_ok=True)
        download = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--dest", str(source.parent), f"swift=={VERSION}"]
        subprocess.run([str(python), *download], check=True)
        subprocess.run(["tar", "-xf", str(next(source.parent.glob("*.tar.gz"))), "-C", str(source.parent)], check=True)
    return source


def prepare(clouds: Path, work: Path) -> Path:
    """The users, and test.conf in `work`."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds)
    admin = openstack.connect(cloud="admin")
    identity: Any = admin.identity
    section = {
        "auth_version": "3",
        "auth_uri": admin.config.auth["auth_url"].rstrip("/").removesuffix("/v3") + "/v3/",
        "check_server_errors": "yes",
        "web_front_end": "integral",
        "collate": "C",
        "insecure": "no",
    }
    for name, project_name, domain_name, role_name in USERS:
        domain = identity.find_domain(domain_name) or identity.create_domain(name=domain_name)
        project = identity.find_project(project_name, domain_id=domain.id) or identity.create_project(name=project_name, domain_id=domain.id)
        user = identity.find_user(name, domain_id=domain.id)
        user = user or identity.create_user(name=name, password="testing", domain_id=domain.id)
        role = identity.find_role(role_name) or identity.create_role(name=role_name)
        identity.assign_project_role_to_user(project, user, role)
        suffix = name.removeprefix("tester")
        section |= {f"account{suffix}": project_name, f"username{suffix}": name, f"password{suffix}": "testing", f"domain{suffix}": domain_name}
    config = configparser.ConfigParser()
    config["func_test"] = {key: value for key, value in section.items() if key != "domain"}
    config["s3api_test"] = _s3_section(clouds)
    path = work / "test.conf"
    with path.open("w") as file:
        config.write(file)
    return path


def _s3_section(clouds: Path) -> dict[str, str]:
    """S3's endpoint, and keys of the first three users."""
    auth_url = yaml.safe_load(clouds.read_text())["clouds"]["admin"]["auth"]["auth_url"]
    section = {"region": "us-east-1", "s3_acl_tests_enabled": "False"}
    for number, (name, project, domain, _) in enumerate(USERS[:3], 1):
        auth = {"auth_url": auth_url, "username": name, "password": "testing", "project_name": project}
        user = openstack.connect(auth=auth | {"user_domain_name": domain, "project_domain_name": domain})
        made = user.identity.post(f"/users/{user.current_user_id}/credentials/OS-EC2", json={"tenant_id": user.current_project_id})
        if made.status_code != 201:
            raise RuntimeError(f"no key for {name}: {made.text}")
        key = made.json()["credential"]
        section |= {f"access_key{number}": key["access"], f"secret_key{number}": key["secret"]}
        section["endpoint"] = str(user.session.get_endpoint(service_type="s3", interface="public"))
    return section


def run(config: Path, expression: str, more: Sequence[str], *, folder: str = "functional") -> int:
    """`expression` is a file in Swift's folder of tests, with or without a test in it."""
    source = tools()
    left_out = [f"--deselect=test/{line}" for line in LEFT_OUT.read_text().splitlines() if line and not line.startswith("#")]
    command = [
        str(TOOLS / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--tb=short",
        f"test/{folder}/{expression}".rstrip("/"), "--ignore=test/functional/s3api", *left_out, *more,
    ]  # fmt: skip
    return subprocess.run(command, cwd=source, env={**os.environ, "SWIFT_TEST_CONFIG_FILE": str(config)}, check=False).returncode
