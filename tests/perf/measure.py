"""CPU time and memory of processes as the kernel counts them, and how fast this core is at the moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time of the processes, their descendants, and children that have ended."""
    total = 0.0
    for pid in {one for root in pids for one in tree(root)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(n) for n in fields[11:15]) / _TICK
    return total


def pss_mib(pids: Sequence[int]) -> float:
    """Proportional set size: memory with shared pages divided by those who share them."""
    total = 0
    for pid in {one for root in pids for one in tree(root)}:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def groups_cpu_s(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {name: cpu_s(pids) for name, pids in groups.items()}


def calibration_ms() -> float:
    """CPU of a fixed Python loop: 38 ms on a quiet core of the reference machine; compare figures only at like values."""
    started, total = time.process_time(), 0
    for i in range(500_000):
        total += i * i % 7
    return (time.process_time() - started) * 1000
