"""`python -m tests.conformance tempest|neutron|sdk|swift|s3 [expression]`: OpenStack's own API tests against an embedded cloud.

`tempest` and `neutron` (the API tests of neutron-tempest-plugin) take a regular expression of test ids (`tempest.api.network`),
`sdk` a folder of openstacksdk's functional tests (`image/v2`), `swift` and `s3` a file of Swift's (`test_slo.py`); more arguments go to
`tempest run` or pytest. Tests of what we do not offer are left out by left_out.txt and left_out_neutron, _sdk and _swift.txt.
With SYNNEFO_STATE set the cloud that runs there is used, else one is started and deleted again.
The tools live in a virtual environment of their own: they pin much that we do not.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openstack
import yaml
from tests.conformance import swift_suite
from tests.conformance.tempest_conf import tempest_conf, write
from tests.stack import Stack

from synnefo_local.layout import Layout, load_memory

TOOLS = Path(os.environ.get("SYNNEFO_CONFORMANCE_ENV", ".venv-conformance")).absolute()
LEFT_OUT = Path(__file__).with_name("left_out.txt")
LEFT_OUT_NEUTRON = Path(__file__).with_name("left_out_neutron.txt")
LEFT_OUT_SDK = Path(__file__).with_name("left_out_sdk.txt")
NEEDS = (
    "tempest==47.0.0", "neutron-tempest-plugin==3.3.0", "openstacksdk==4.22.0", "stestr==4.2.1", "pytest", "ddt", "statsd", "oslotest",
    "prometheus_client", "requests-mock",
)  # fmt: skip


def tools() -> Path:
    """The folder of the environment's programs; made at first use."""
    if not (TOOLS / "bin" / "tempest").exists():
        subprocess.run(["uv", "venv", "-q", str(TOOLS)], check=True)
    if not [*TOOLS.glob("lib/python*/site-packages/neutron_tempest_plugin")]:
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(TOOLS / "bin" / "python"), *NEEDS], check=True)
    return TOOLS / "bin"


def write_clouds(ours: Path, path: Path) -> None:
    """The cloud's clouds.yaml with one more entry: the administrator with system scope.

    The tests' network counts as one that others reach: the SDK would give each server on it a floating IP, which needs a router.
    """
    content = yaml.safe_load(ours.read_text())
    for cloud in content["clouds"].values():
        cloud["networks"] = [{"name": "tempest", "routes_externally": True}]
    admin = content["clouds"]["admin"]
    scoped = ("project_name", "project_domain_name", "project_domain_id", "project_id")
    auth = {key: value for key, value in admin["auth"].items() if key not in scoped} | {"system_scope": "all"}
    content["clouds"]["admin-system"] = {**admin, "auth": auth}
    path.write_text(yaml.safe_dump(content))


def prepare(clouds: Path, password: str, work: Path, *, is_tempest: bool) -> None:
    """Two public images, two flavors and a network for everybody, and tempest.conf in `work`/etc."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds)
    admin = openstack.connect(cloud="admin")
    images = {image.name: image.id for image in admin.image.images()}
    for name in ("tempest", "tempest-alt"):
        if name not in images:
            how: dict[str, Any] = {"disk_format": "raw", "container_format": "bare", "visibility": "public", "data": b"\x55\xaa" * 65536}
            images[name] = admin.image.create_image(name, **how).id
    flavors = {flavor.name: flavor.id for flavor in admin.compute.flavors()}
    for name, ram in (("tempest.nano", 128), ("tempest.micro", 192)):
        if name not in flavors:
            flavors[name] = admin.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=1).id
    public = admin.network.find_network("public", ignore_missing=False)
    if admin.network.find_network("tempest") is None:  # tempest would make a network with a router for each of its projects
        shared = admin.network.create_network(name="tempest", shared=True)
        admin.network.create_subnet(name="tempest", network_id=shared.id, ip_version=4, cidr="10.101.0.0/16")
    identity: Any = admin.identity
    for domain in identity.domains():
        if domain.name in ("updated name", "updated name 2"):  # left by the SDK's test of domains
            identity.update_domain(domain, is_enabled=False)
            identity.delete_domain(domain)
    extensions = [extension.alias for extension in admin.network.extensions()]
    if is_tempest:
        extensions.append("tag")  # the name that standard-attr-tag had first
    sections = tempest_conf(
        identity_url=re.sub(r"/v3/?$", "", admin.config.auth["auth_url"]), admin_password=password, image_id=images["tempest"],
        alt_image_id=images["tempest-alt"], flavor_id=flavors["tempest.nano"], alt_flavor_id=flavors["tempest.micro"],
        public_network_id=public.id, extensions=extensions, work=work,
    )  # fmt: skip
    for folder in ("etc", "log", "lock"):
        (work / folder).mkdir()
    write(sections, work / "etc" / "tempest.conf")


def run_tempest(work: Path, expression: str, more: Sequence[str], *, left_out: Path = LEFT_OUT) -> int:
    """Exit code of the run; results are printed as they come."""
    bin_ = tools()
    command = [
        str(bin_ / "tempest"), "run", "--config-file", str(work / "etc/tempest.conf"), "--serial", "--regex", expression,
        "--exclude-list", str(left_out), *more,
    ]  # fmt: skip
    env = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "PYTHON": str(bin_ / "python")}
    return subprocess.run(command, cwd=work, env=env, check=False).returncode


def run_sdk(work: Path, clouds: Path, expression: str, more: Sequence[str]) -> int:
    bin_ = tools()
    found = subprocess.run(
        [str(bin_ / "python"), "-c", "import openstack.tests.functional as f; print(f.__path__[0])"], check=True, capture_output=True, text=True
    )
    left_out = [f"--deselect={line}" for line in LEFT_OUT_SDK.read_text().splitlines() if line and not line.startswith("#")]
    names = {
        "OPENSTACKSDK_DEMO_CLOUD": "demo", "OPENSTACKSDK_DEMO_CLOUD_ALT": "alt_demo", "OPENSTACKSDK_OPERATOR_CLOUD": "admin",
        "OPENSTACKSDK_SYSTEM_ADMIN_CLOUD": "admin-system", "OS_CLOUD": "admin", "OS_CLIENT_CONFIG_FILE": str(clouds),
        "OPENSTACKSDK_IMAGE": "tempest", "OPENSTACKSDK_FLAVOR": "tempest.nano", "OPENSTACKSDK_FUNC_TEST_TIMEOUT": "60", "OS_TEST_TIMEOUT": "120",
    }  # fmt: skip
    command = [
        str(bin_ / "python"), "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", found.stdout.strip(),
        f"{found.stdout.strip()}/{expression}", *left_out, *more,
    ]  # fmt: skip
    (work / "CONTRIBUTING.rst").write_text("The tests of images upload a file of this name from where they run.\n")
    return subprocess.run(command, cwd=work, env={**os.environ, **names}, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("suite", choices=("tempest", "neutron", "sdk", "swift", "s3"))
    parser.add_argument("expression", nargs="?", default="")
    arguments, more = parser.parse_known_args()
    with ExitStack() as exits:
        if state := os.environ.get("SYNNEFO_STATE"):
            layout = Layout(Path(state).absolute(), "embedded")
        else:
            layout = exits.enter_context(Stack("embedded")).layout
        work = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="synnefo-conformance-")))
        clouds = work / "clouds.yaml"
        write_clouds(layout.root / "clouds.yaml", clouds)
        if arguments.suite in ("swift", "s3"):
            folder = "functional" if arguments.suite == "swift" else "s3api"
            return swift_suite.run(swift_suite.prepare(clouds, work), arguments.expression, more, folder=folder)
        prepare(clouds, load_memory(layout)["passwords"]["admin"], work, is_tempest=arguments.suite == "tempest")
        if arguments.suite == "sdk":
            return run_sdk(work, clouds, arguments.expression, more)
        if arguments.suite == "neutron":
            return run_tempest(work, arguments.expression or r"neutron_tempest_plugin\.api", more, left_out=LEFT_OUT_NEUTRON)
        return run_tempest(work, arguments.expression or r"^tempest\.api", more)


if __name__ == "__main__":
    sys.exit(main())
