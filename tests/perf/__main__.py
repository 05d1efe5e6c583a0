"""`python -m tests.perf`: start a cloud of its own, measure it, print the table."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.perf import object_store  # noqa: F401 - its benches are in the table then
from tests.perf.blocks import measure_blocks
from tests.perf.boot import count_boot
from tests.perf.cloud import Cloud
from tests.perf.figures import BENCHES, Figure, calibration
from tests.perf.restore import measure_restore
from tests.stack import Stack, why_not


def _show(figure: Figure) -> None:
    seen = ", ".join(f"{name} {value:,.3g}" if value < 1000 else f"{name} {value:,.0f}" for name, value in figure.seen.items())
    print(f"{figure.name:<44} {figure.value:>9.3f} {figure.unit:<12} {figure.goal:<9} {seen}", flush=True)


def _start(stack: Stack) -> Iterator[Figure]:
    for name, goal in (("first start", ""), ("warm start", "< 10")):
        began = time.monotonic()
        stack.start()
        yield Figure(f"make up, {name}", time.monotonic() - began, "s", goal)
        if not goal:
            stack.stop()


def _measure(profile: str, only: list[str]) -> Iterator[Figure]:
    wanted = [name for name in ("start", "budget", "blocks", *BENCHES, "restore") if not only or name in only]
    yield calibration()
    if "budget" in wanted and profile == "embedded":
        counted = count_boot()
        for name, number, goal in (
            ("statements", len(counted.statements), "<= 45"), ("HTTP calls", len(counted.calls), "<= 5"), ("messages", len(counted.messages), "<= 6"),
        ):  # fmt: skip
            yield Figure(f"boot, {name}", number, "", goal)
    if "blocks" in wanted and profile == "embedded":
        yield from measure_blocks()
    if "restore" in wanted:
        yield from measure_restore(profile)
    if not {"start", *BENCHES} & set(wanted):
        return
    stack = Stack(profile, "fake", env={"SYNNEFO_RADOS_GB": "8"})  # what is deleted stays for the collector's grace time
    try:
        yield from (f for f in _start(stack) if "start" in wanted)
        cloud = Cloud(stack)
        for name in [n for n in wanted if n in BENCHES]:
            yield from BENCHES[name](cloud)
            yield calibration()
        cloud.close()
    finally:
        stack.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description=__doc__)
    parser.add_argument("--profile", choices=("embedded", "full"), default="embedded")
    names = ("start", "budget", "blocks", *BENCHES, "restore")
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    if reason := why_not(args.profile, "fake"):
        parser.error(reason)
    print(f"profile {args.profile}; CPU per request over all of the cloud's processes, the load client's is not in it\n")
    figures = []
    for figure in _measure(args.profile, args.only):
        _show(figure)
        figures.append(figure)
    if args.json:
        args.json.write_text(json.dumps({"profile": args.profile, "figures": [asdict(f) for f in figures]}, indent=1) + "\n")


main()
