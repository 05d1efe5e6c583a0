"""What is documented, alerted on and drawn exists; every alert fires on its case and has a section in the runbook."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.reference import Metric, collect, render

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
PROMETHEUS = ROOT / "deploy/prometheus"
OF_PROMETHEUS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
GIVEN_BY_THE_SCRAPE = {"job", "instance", "le"}


@pytest.fixture(scope="module")
def metrics() -> dict[str, Metric]:
    return asyncio.run(collect())


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def board_expressions() -> Iterator[tuple[str, str]]:
    for path in BOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}: ${variable['name']}", variable["query"]["query"]


def expressions() -> list[tuple[str, str]]:
    return [(rule["alert"], rule["expr"]) for rule in rules()] + list(board_expressions())


def test_documented_metrics_are_those_of_the_code(metrics: dict[str, Metric]) -> None:
    assert (ROOT / "docs/metrics.md").read_text() == render(metrics), "run `make docs`"


def test_every_metric_says_what_it_is(metrics: dict[str, Metric]) -> None:
    assert [m.name for m in metrics.values() if not m.text.endswith(".")] == []


def test_expressions_name_metrics_and_labels_that_exist(metrics: dict[str, Metric]) -> None:
    assert {where: wrong for where, expression in expressions() if (wrong := unknown_names(expression, metrics))} == {}


def unknown_names(expression: str, metrics: dict[str, Metric]) -> set[str]:
    series = {name: set(m.labels) | GIVEN_BY_THE_SCRAPE for m in metrics.values() for name in m.series}
    named = set(re.findall(r"\b(?:synnefo|process)_\w+", expression)) or {"up"}
    wrong = named - set(series) - OF_PROMETHEUS
    for name, matchers in re.findall(r"\b(synnefo_\w+)\{([^}]*)\}", expression):
        wrong |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - series.get(name, set())
    for grouping in re.findall(r"by \(([^)]*)\)", expression):
        labels = GIVEN_BY_THE_SCRAPE.union(*(series[name] for name in named & set(series)))
        wrong |= {g.strip() for g in grouping.split(",")} - labels
    return wrong


def test_a_wrong_name_would_be_found(metrics: dict[str, Metric]) -> None:
    assert unknown_names('sum by (service) (synnefo_outbox_rows{service="x"})', metrics) == set()
    assert unknown_names('sum by (servise) (rate(synnefo_outbox_row{cluster="x"}[5m]))', metrics) == {"servise", "synnefo_outbox_row", "cluster"}


def test_there_are_five_boards_with_names_of_their_own() -> None:
    boards = [json.loads(path.read_text()) for path in BOARDS]
    assert len({b["uid"] for b in boards}) == len({b["title"] for b in boards}) == 5


def test_every_metric_is_on_a_board_or_in_an_alert(metrics: dict[str, Metric]) -> None:
    shown = " ".join(expression for _, expression in expressions())
    assert [m.name for m in metrics.values() if not any(re.search(rf"\b{name}\b", shown) for name in m.series)] == []


def test_every_alert_has_its_section_in_the_runbook_and_no_section_is_left_over() -> None:
    sections = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules()]


def test_every_alert_is_tested_firing_and_quiet() -> None:
    cases = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    said = {(c["alert_rule_test"][0]["alertname"], bool(c["alert_rule_test"][0].get("exp_alerts"))) for c in cases}
    assert said == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)")
@pytest.mark.parametrize(
    "arguments", [("check", "config", "--syntax-only", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
