"""The generated references of `docs/reference`: `python -m tests.references settings|policy|events` prints one (`make docs` writes them)."""

import importlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synnefo_common.policy.engine import COMMON_RULES, RuleDefault
from synnefo_common.settings import SERVICES, CommonSettings, Section, ServiceSettings

ROOT = Path(__file__).resolve().parents[1]
MADE = "Made by `make docs` from the code; a test says when it is not current.\n"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def settings() -> str:
    lines = [
        "# Settings\n", MADE,
        "Files `/etc/synnefo/*.toml`, a table for each section; `SYNNEFO_SECTION_KEY` in the environment comes before them.",
        "Those marked *secret* can be given as `KEY_file`, too: the name of a file that holds the value.",
    ]  # fmt: skip
    lines += _table("common", CommonSettings, set()) + _table("every service", ServiceSettings, {"common"})
    for name in SERVICES:
        own: type[Section] = importlib.import_module(f"synnefo_{name}.settings").Settings
        lines += _table(name, own, set(ServiceSettings.model_fields))
    return "\n".join(lines) + "\n"


def _table(section: str, model: type[Section], but: set[str]) -> list[str]:
    rows = []
    for key, field in model.model_fields.items():
        if key in but:
            continue
        extra: Any = field.json_schema_extra or {}
        value = field.get_default(call_default_factory=True)
        try:
            default = json.dumps(value)
        except TypeError:
            default = "see there"
        meaning = (field.description or "") + (" *secret*" if extra.get("secret") else "")
        rows.append(f"| `{key}` | `{_cell(default)}` | {_cell(meaning)} |")
    return ["", f"## {section}", "", "| Key | Default | Meaning |", "|---|---|---|", *rows] if rows else []


def policy() -> str:
    lines = ["# Policy\n", MADE, "The rules by which calls are allowed, in oslo.policy's language."]
    lines += _rules("all services", list(COMMON_RULES))
    for name in SERVICES:
        try:
            module = importlib.import_module(f"synnefo_{name}.domain.policy")
        except ModuleNotFoundError:
            continue  # the object store's ACLs are Swift's own
        lines += _rules(name, getattr(module, "RULES", None) or module.POLICIES)
    return "\n".join(lines) + "\n"


def _rules(title: str, rules: list[RuleDefault]) -> list[str]:
    head = ["", f"## {title}", "", "| Rule | Check | Guards | Calls |", "|---|---|---|---|"]
    return head + [
        f"| `{rule.name}` | `{_cell(rule.check)}` | {_cell(rule.description)} | {'<br>'.join(f'`{m} {p}`' for m, p in rule.operations)} |"
        for rule in rules
    ]


def events() -> str:
    """Who says what to whom, read from the sources: literals of `Event(…)` and of `@consumers.on(…)`."""
    says, hears = defaultdict(set), defaultdict(set)
    for name in SERVICES:
        package = Path(importlib.import_module(f"synnefo_{name}").__path__[0])
        for path in package.rglob("*.py"):
            text = path.read_text()
            for event in re.findall(r'\bEvent\(\s*(?:type=)?f?"([a-z_.{}]+)"', text):
                says[re.sub(r"\{\w+\}", "*", event)].add(name)
            for called in re.findall(r"@consumers\.on(?:_batch)?\(([^)]*)\)", text):
                for event in re.findall(r'"([a-z_.*#]+)"', called):
                    hears[event].add(name)
    holders = {"compute", "network", "image", "volume", "object"}  # by the library that they share
    says["quota.commission.*"] |= holders
    says["quota.released"] |= holders
    lines = [
        "# Events\n", MADE,
        "Messages on the exchange `synnefo.events` (`ganeti.job.requested` on `synnefo.jobs`), in the envelope of",
        "`synnefo_common.contracts.envelope`. `*` stands for a word that the sender fills in.", "",
        "| Event | Sent by | Heard by |", "|---|---|---|",
    ]  # fmt: skip
    for event in sorted(says):
        pattern = re.compile(re.escape(event).replace(r"\*", r"[a-z_]+") + "$")
        heard = sorted({name for key, names in hears.items() if pattern.match(key) for name in names})
        lines.append(f"| `{event}` | {', '.join(sorted(says[event]))} | {', '.join(heard)} |")
    return "\n".join(lines) + "\n"


REFERENCES: dict[str, Callable[[], str]] = {"settings": settings, "policy": policy, "events": events}

if __name__ == "__main__":
    print(REFERENCES[sys.argv[1]](), end="")
