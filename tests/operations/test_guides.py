"""What README and the guides name exists: links, files, make targets, commands, settings."""

import importlib
import importlib.util
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import typer

from synnefo_admin.main import app
from synnefo_common.settings import SERVICES, ServiceSettings
from tests.operations.guides import commands
from tests.operations.test_compose import known_settings
from tests.stack import free_port_base

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE = {"docs/metrics.md", *(f"docs/reference/{name}.md" for name in ("settings", "policy", "events"))}
WRITTEN = [page for page in PAGES if str(page.relative_to(ROOT)) not in MADE]
FOLDERS = ("deploy", "docs", "libs", "services", "tests", ".ci")
ELSEWHERE = {"SYNNEFO_NBD_REQUIRED"}  # of a Ganeti node's /etc/default/synnefo-node


def found(pattern: str, *, pages: Iterable[Path] = WRITTEN, flags: re.RegexFlag = re.MULTILINE) -> Iterator[tuple[str, str]]:
    for page in pages:
        for match in re.finditer(pattern, page.read_text(), flags):
            yield str(page.relative_to(ROOT)), match[1]


def test_links_lead_somewhere() -> None:
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.partition("#")[0]
            if "://" not in target and path and not (page.parent / path).exists():
                wrong.append((page.name, target))
    assert wrong == []


def test_files_that_are_named_exist() -> None:
    wrong = []
    for page, name in found(rf"(?<![\w/.-])((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*[\w*/])(?!<)\b"):
        if not any(ROOT.glob(name.rstrip("/"))):
            wrong.append((page, name))
    assert wrong == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(found(r"(?:^|`|    |&& )make ([a-z][a-z-]+)\b"))
    assert {(page, target) for page, target in named if target not in targets} == set()
    assert {target for _, target in named} >= {"up", "demo", "test", "compose-up"}


def commands_of(group: typer.Typer, before: str = "") -> set[str]:
    names = {f"{before}{c.name or (c.callback.__name__ if c.callback else '')}" for c in group.registered_commands}
    for below in group.registered_groups:
        if below.typer_instance:
            names |= {f"{below.name}", *commands_of(below.typer_instance, f"{below.name} ")}
    return names


def test_commands_of_the_operator_exist() -> None:
    known = commands_of(app)
    groups = {name.split()[0] for name in known}
    wrong = []
    for page, words in found(r"(?:^|`|    |&& |\| )(?:OS_CLOUD=admin )?synnefo ([a-z]+(?: [a-z|]+)?)"):
        first, _, rest = words.partition(" ")
        alternatives = [f"{first} {word}" for word in rest.split("|")] if any(k.startswith(f"{first} ") for k in known) and rest else [first]
        wrong += [(page, name) for name in alternatives if name not in known or first not in groups]
    assert wrong == []


def test_modules_that_are_run_exist() -> None:
    wrong = []
    for page, name in found(r"python3? -m ([\w.]+)"):
        for module in [name.replace("SERVICE", service) for service in SERVICES] if "SERVICE" in name else [name]:
            if importlib.util.find_spec(module) is None:
                wrong.append((page, module))
    assert wrong == []


def test_settings_exist() -> None:
    known = known_settings()
    code = [ROOT / "Makefile", *(path for folder in ("deploy", "libs", "tests") for path in (ROOT / folder).rglob("*") if path.is_file())]
    read = {name for path in code for name in re.findall(r"\bSYNNEFO_[A-Z0-9_]+", path.read_text(errors="ignore"))}
    wrong = []
    for page, name in found(r"\b(SYNNEFO_[A-Z0-9_]*[A-Z0-9])\b"):
        one = name.replace("_SERVICE_", "_COMPUTE_", 1)
        if one.removesuffix("_FILE") not in known and name not in read | ELSEWHERE:
            wrong.append((page, name))
    sections = {s: set(importlib.import_module(f"synnefo_{s}.settings").Settings.model_fields) for s in SERVICES}
    sections["common"] = {key.removeprefix("SYNNEFO_COMMON_").lower() for key in known if key.startswith("SYNNEFO_COMMON_")}
    for pattern in (r"`\[(%s)\] ([a-z_0-9]+)", r"`(%s)\.([a-z_0-9]+)\b(?!\.)"):
        for guide in [path for path in WRITTEN if path.parent.name != "design"]:
            for section, key in re.findall(pattern % "|".join(sections), guide.read_text()):
                if key not in sections[section] | {"json", "yaml", "py"}:
                    wrong.append((guide.name, f"[{section}] {key}"))
    assert wrong == []
    assert "drain_s" in ServiceSettings.model_fields


def test_a_wrong_name_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n    make compose-up\n\n## Two\n\ntext\n\n```bash\nsynnefo audit\nmake nothing\n```\n")
    assert commands(page) == {"One": "make compose-up\n", "Two": "synnefo audit\nmake nothing\n"}


@pytest.mark.parametrize("page", ["quick-install.md", "two-node-install.md"])
def test_commands_of_a_guide_are_shell(page: str) -> None:
    for heading, text in commands(ROOT / "docs" / page).items():
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{heading}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_readme_give_a_cloud_to_look_around_in(tmp_path: Path) -> None:
    text = commands(ROOT / "README.md")["Synnefo"].replace(".synnefo/", f"{tmp_path}/state/")
    typed = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("make test"))
    assert [word for word in ("make up", "openstack server create", "make status", "make down", "make clean") if word not in typed] == []
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "SYNNEFO_"))}
    env |= {"SYNNEFO_STATE": str(tmp_path / "state"), "SYNNEFO_PORT_BASE": str(free_port_base())}
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", typed], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["make", "clean"], cwd=ROOT, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "ACTIVE" in done.stdout
