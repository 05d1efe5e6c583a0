"""deploy/compose.yml names settings, images, services and volumes that exist."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from synnefo_common.settings import SERVICES, CommonSettings

ROOT = Path(__file__).resolve().parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yml").read_text())


def settings_of(text: str) -> Iterator[str]:
    yield from re.findall(r"\bSYNNEFO_[A-Z_]+\b", text)


def known_settings() -> set[str]:
    found = {f"SYNNEFO_COMMON_{key}".upper() for key in CommonSettings.model_fields}
    for name in SERVICES:
        settings = importlib.import_module(f"synnefo_{name}.settings").Settings
        found |= {f"SYNNEFO_{name}_{key}".upper() for key in settings.model_fields}
    return found


def test_every_setting_given_to_a_container_is_one() -> None:
    given = {key for service in STACK["services"].values() for key in service.get("environment", {}) if key.startswith("SYNNEFO_")}
    kubernetes = "\n".join(path.read_text() for path in (ROOT / "deploy/kubernetes").rglob("*") if path.is_file())
    image = (ROOT / "deploy/Dockerfile").read_text()
    assert (given | set(settings_of(kubernetes)) | set(settings_of(image))) - known_settings() == set()


def test_what_is_named_exists() -> None:
    script = (ROOT / "deploy/build-images").read_text()
    built = {f"synnefo/{name}" for names in re.findall(r"(?:services|parts)=\(([^)]*)\)", script) for name in names.split()}
    for name, service in STACK["services"].items():
        image = service["image"].partition(":")[0]
        assert image in built or name == "grafana", name
        assert set(service.get("depends_on", {})) <= set(STACK["services"]), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in STACK["volumes"] or (ROOT / "deploy" / source).exists(), name
        assert service["mem_limit"] and service["restart"] and service["cap_drop"] == ["ALL"], name


def test_the_example_names_every_variable_that_must_be_set() -> None:
    must = set(re.findall(r"\$\{(\w+):\?", (ROOT / "deploy/compose.yml").read_text()))
    assert must <= set(re.findall(r"^(\w+)=", (ROOT / "deploy/.env.example").read_text(), re.MULTILINE))


def test_the_locks_of_the_images_are_those_of_the_project() -> None:
    command = [sys.executable, "deploy/make-image-locks", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
