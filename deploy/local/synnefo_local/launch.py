"""Starts many services from one process that has imported them all: they are forked from it.

To import a service costs seconds of processor time, and the full profile has fourteen processes and seven migrations.
The launcher imports while PostgreSQL and its like are starting; what it forks shares its memory. It ends when it has done so.
Run as `python -m synnefo_local.launch`: a batch per line of stdin, an answer per line of stdout.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn

from synnefo_local.layout import SERVICES, LocalError
from synnefo_local.processes import Process

FEW = 2  # so many are started by themselves as quickly


class Launcher:
    """`with Launcher(env) as launcher`: `warm` ahead of need, then `start` and `run`."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Launcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.communicate()

    def warm(self) -> None:
        """Begin to import."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "synnefo_local.launch"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env, text=True,
            )  # fmt: skip

    def start(self, processes: Sequence[Process]) -> None:
        """Start these in the background."""
        services = [p for p in processes if p.package is not None]
        if len(services) <= FEW and self._child is None:
            services = []
        for process in processes:
            if process not in services:
                process.start(self.env)
        if services:
            for process, pid in zip(services, self._send(services, wait=False), strict=True):
                process.record(pid)

    def run(self, processes: Sequence[Process]) -> None:
        """Run these side by side to their end. Raises LocalError with the log of one that failed."""
        for process, code in zip(processes, self._send(processes, wait=True), strict=True):
            if code:
                raise LocalError(f"{process.name} failed ({code}). The end of {process.log}:\n{process.tail()}")

    def _send(self, processes: Sequence[Process], *, wait: bool) -> list[int]:
        self.warm()
        assert self._child is not None and self._child.stdin is not None and self._child.stdout is not None
        for process in processes:
            process.rotate_log()
        orders = [{"package": p.package, "arguments": p.argv[3:], "log": str(p.log)} for p in processes]
        self._child.stdin.write(json.dumps({"orders": orders, "wait": wait}) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise LocalError("the services cannot be imported")  # it has said on stderr why
        numbers: list[int] = json.loads(answer)
        return numbers


def become(order: Mapping[str, Any]) -> NoReturn:
    """Be that process: its own session, its log for output, its command line."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    sys.argv = [order["package"], *order["arguments"]]
    sys.exit(importlib.import_module(f"{order['package']}.__main__").main())


def main() -> None:
    """Until stdin ends."""
    for name in SERVICES:
        importlib.import_module(f"synnefo_{name}.__main__")
    gc.collect()
    gc.freeze()  # collections in the forks leave these pages alone, so that they stay shared
    for line in sys.stdin:
        batch = json.loads(line)
        pids = []
        for order in batch["orders"]:
            pid = os.fork()
            if pid == 0:
                become(order)
            pids.append(pid)
        answer = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] if batch["wait"] else pids
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
