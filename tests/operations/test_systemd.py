"""The units of deploy/systemd are ones that systemd takes, and call what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "deploy/systemd"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian package systemd)")
def test_systemd_finds_nothing_wrong_but_that_nothing_is_installed(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        shutil.copy(path, tmp_path)
    names = [str(tmp_path / name) for name in ("synnefo-api@.service", "synnefo-worker@.service", "synnefo.target")]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or line.startswith("synnefo")]
    assert [line for line in said if "/opt/synnefo/.venv/bin/python is not executable" not in line] == []


def test_units_run_the_verbs_of_a_service() -> None:
    verbs = {re.search(r"-m synnefo_%i (\w+)$", path.read_text(), re.MULTILINE) for path in UNITS.glob("*.service")}
    assert {match[1] for match in verbs if match} == {"serve", "worker"}
