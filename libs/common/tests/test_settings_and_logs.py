"""Secrets from files, secrets hidden, and logs that a machine reads line by line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synnefo_common.settings import CommonSettings, build_section, show_value


def test_secrets_are_read_from_files_also_within_tables(tmp_path: Path) -> None:
    from synnefo_identity.settings import Settings

    secret = tmp_path / "secret"
    secret.write_text("pw\n")
    built = build_section(
        Settings, {"service_password_file": str(secret), "bootstrap": {"admin_password_file": str(secret)}}, common=CommonSettings()
    )
    assert isinstance(built, Settings)
    assert built.service_password == built.bootstrap.admin_password == "pw"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("service_password", "x", "'***'"), ("database_url", "postgresql://u:p@h:1/n", "'postgresql://u:***@h:1/n'"), ("listen_port", 5, "5"),
        ("bus_url", "amqp://guest:gu/est@h/", "'amqp://guest:***@h/'"), ("service_password", "", "''"),
    ],
)  # fmt: skip
def test_settings_are_shown_without_secrets(key: str, value: object, shown: str) -> None:
    assert show_value(key, value).strip("'") == shown.strip("'")


def test_every_line_of_the_log_is_json_on_stdout_also_those_of_libraries() -> None:
    program = (
        "import logging\nfrom synnefo_common.log import AccessLog, get_logger, setup_logging\n"
        "setup_logging(fmt='json', stream='stdout', service='x')\n"
        "get_logger('a').info('own_event', password='secret', n=1)\n"
        "logging.getLogger('library').warning('of a %s', 'library')\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('library').exception('failed')\n"
        "AccessLog('x').write(method='GET', path='/', status=200, ms=1.0, request_id='r', global_id=None, user_id=None, project_id=None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    own, library, failed, request = [json.loads(line) for line in done.stdout.splitlines()]
    assert own["event"] == "own_event"
    assert own["password"] == "***"
    assert library["event"] == "of a library"
    assert library["level"] == "warning"
    assert "ZeroDivisionError" in failed["exception"]
    assert request["status"] == 200
