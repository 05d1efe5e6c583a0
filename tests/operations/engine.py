"""A container engine for a test: the one that answers, or a private one where root can start it; else the test is skipped."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "deploy/local/infra"


@contextmanager
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `docker` reaches it (DOCKER names the client)."""
    started = subprocess.run([INFRA / "engine-up", folder], capture_output=True, text=True, check=False, timeout=300)
    if started.returncode == 3:
        pytest.skip(started.stderr.strip().splitlines()[-1])
    assert started.returncode == 0, started.stderr
    found = dict(line.split("=", 1) for line in started.stdout.splitlines())
    try:
        yield {**os.environ, **found}
    finally:
        subprocess.run([INFRA / "engine-down", folder, "--purge"], capture_output=True, check=False)
