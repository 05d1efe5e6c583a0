"""The collector: removes blocks and pages that no root leads to, in two steps that are two surveys apart.

What a complete survey does not find, and nobody has used for the grace time, is condemned. What a later complete survey
does not find either, and nobody has used since, is removed. The grace time must be longer than the longest upload.
Beside writers, clones and snapshots it needs no lock: they touch what they refer to (see `survey` and `Driver.touch`).
One collector at a time per store; that is its caller's to see to.
"""

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synnefo_archipelago import crash
from synnefo_archipelago.leases import Clock
from synnefo_archipelago.pace import Pace
from synnefo_archipelago.spool import NAME, SPACES, Spool, divide, load_json, parse_name, read_records, save_json
from synnefo_archipelago.store import Store
from synnefo_archipelago.survey import IncompleteSurvey, Owner, Survey, Sweepable

_UNFINISHED_S = 86400.0


def _zero() -> dict[str, dict[str, int]]:
    return {space.value: {"objects": 0, "bytes": 0} for space in SPACES}


@dataclass
class GcReport:
    """What one run did; of a dry run, what runs from now on would do."""

    epoch: int
    dry_run: bool
    roots: int = 0
    freed: dict[str, dict[str, int]] = field(default_factory=_zero)
    """By kind: removed now."""
    condemned: dict[str, dict[str, int]] = field(default_factory=_zero)
    """By kind: to be removed by the next run, if still unused."""
    young: dict[str, dict[str, int]] = field(default_factory=_zero)
    """By kind: unreferenced, but used within the grace time."""
    live: dict[str, dict[str, int]] = field(default_factory=_zero)


class Collector:
    def __init__(
        self, store: Store, owners: Mapping[str, Owner], folder: Path, *,
        required: frozenset[str], grace_s: float, clock: Clock, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        """`required` names the owners without whose complete answers nothing is ever removed."""
        self._driver = store.driver
        self._owners = owners
        self._folder = folder
        self._required = required
        self._grace_s = grace_s
        self._clock = clock
        self._pace = pace or Pace()

    def run(self, *, dry_run: bool = False) -> GcReport:
        """One epoch, from where a former run was interrupted.

        Raises `IncompleteSurvey` when nothing may be removed, `Stopped` when told to stop.
        """
        work = self._folder / ("dry-run" if dry_run else "epoch")
        self._folder.mkdir(parents=True, exist_ok=True)
        state = load_json(self._folder / "gc.json") or {"epoch": 0, "cutoff": 0.0}
        sweeping = load_json(work / "sweep.json")
        if work.exists() and (sweeping or {}).get("epoch", state["epoch"] + 1) <= state["epoch"]:
            shutil.rmtree(work)  # it ended, only its folder was left
        if not dry_run:
            self._driver.tidy(self._clock() - _UNFINISHED_S)
        survey = Survey(
            self._driver, self._owners, work,
            epoch=state["epoch"] + 1, now=self._clock(), grace_s=self._grace_s, pace=self._pace,
        )  # fmt: skip
        surveyed = survey.run()
        try:
            sweepable = Sweepable(surveyed, required=self._required)
        except IncompleteSurvey:
            shutil.rmtree(work)  # when it is mended, another survey has to see it
            raise
        report = self._sweep(sweepable, state, work, dry_run=dry_run)
        if not dry_run:
            old = state.get("file")
            after = {"epoch": report.epoch, "cutoff": sweepable.surveyed.cutoff, "file": f"condemned.{report.epoch}"}
            save_json(self._folder / "gc.json", after)
            if old:
                with contextlib.suppress(FileNotFoundError):
                    (self._folder / old).unlink()
        shutil.rmtree(work)
        return report

    def _sweep(self, sweepable: Sweepable, state: dict[str, Any], work: Path, *, dry_run: bool) -> GcReport:
        surveyed = sweepable.surveyed
        progress = load_json(work / "sweep.json") or {
            "epoch": surveyed.epoch, "at": 0, "size": 0,
            "report": asdict(GcReport(surveyed.epoch, dry_run, surveyed.roots)),
        }  # fmt: skip
        report = GcReport(**progress["report"])
        before = self._folder / state.get("file", "none")
        divide([before], NAME, work / "condemned-before", surveyed.partitions)
        condemned = Spool(work / "condemned" if dry_run else self._folder / f"condemned.{surveyed.epoch}", NAME, progress["size"])
        try:
            self._pace.begin("sweeping", total=surveyed.partitions, done=progress["at"])
            for number in range(progress["at"], surveyed.partitions):
                former = set(read_records(work / "condemned-before" / str(number), NAME))
                self._sweep_partition(sweepable, number, (former, state["cutoff"]), condemned, report)
                crash.point("gc.swept")
                progress |= {"at": number + 1, "size": condemned.sync(), "report": asdict(report)}
                save_json(work / "sweep.json", progress)
                crash.point("gc.checkpoint")
                self._pace.step()
        finally:
            condemned.close()
        return report

    def _sweep_partition(
        self, sweepable: Sweepable, number: int, former: tuple[set[bytes], float], condemned: Spool, report: GcReport
    ) -> None:
        condemned_before, since = former
        surveyed = sweepable.surveyed
        partition = surveyed.partition(number)
        for name, (size, touched_at) in partition.present.items():
            space, key = parse_name(name)
            if name in partition.referenced:
                counted = report.live
            elif touched_at >= surveyed.cutoff:
                counted = report.young
            elif name in condemned_before and touched_at < since:
                self._pace.step(0, size)
                if not report.dry_run and not self._driver.delete_unused(space, key, since):
                    continue  # somebody uses it again, or a run that was interrupted here removed it
                counted = report.freed
            else:
                condemned.add(name)
                counted = report.condemned
            counted[space]["objects"] += 1
            counted[space]["bytes"] += size
