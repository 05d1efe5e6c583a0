"""What of docs/ is made from the code is what the code says now."""

import subprocess
import sys
from pathlib import Path

import pytest

from synnefo_common.settings import SERVICES
from tests.references import REFERENCES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_references_are_current(name: str) -> None:
    assert (ROOT / f"docs/reference/{name}.md").read_text() == REFERENCES[name](), "run `make docs`"


@pytest.mark.parametrize("name", SERVICES)
def test_api_documents_are_current(name: str) -> None:
    env = {"SYNNEFO_ETC": "/nonexistent", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-m", f"synnefo_{name}", "openapi"], env=env, capture_output=True, text=True, check=True)
    assert (ROOT / f"docs/api/{name}.json").read_text() == done.stdout, "run `make openapi`"
