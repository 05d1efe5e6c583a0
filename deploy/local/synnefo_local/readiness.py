"""Waits until services answer, and says why not when they do not."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from synnefo_local.layout import LocalError
from synnefo_local.processes import Process, died

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def probe(url: str, *, timeout_s: float = 2.0) -> str | None:
    """None when `url` answers 200, else the reason."""
    try:
        with _direct.open(url, timeout=timeout_s) as answer:
            return None if answer.status == 200 else f"answers {answer.status}"
    except urllib.error.HTTPError as error:
        return f"answers {error.code}: {error.read(300).decode(errors='replace')}"
    except (OSError, TimeoutError) as error:
        return str(getattr(error, "reason", error))


def is_listening(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_ready(processes: Sequence[Process], urls: dict[str, str], *, timeout_s: float) -> None:
    """`urls` are /readyz by service; each must answer 200 before the deadline and no process may die meanwhile."""
    deadline = time.monotonic() + timeout_s
    waiting = dict(urls)
    reasons: dict[str, str] = {}
    while waiting:
        for process in processes:
            if process.pid() is None:
                raise died(process)
        for name, url in list(waiting.items()):
            reason = probe(url)
            if reason is None:
                del waiting[name]
            else:
                reasons[name] = reason
        if waiting and time.monotonic() > deadline:
            lines = [f"{name} at {waiting[name]}: {reasons[name]}" for name in waiting]
            shown = [p for p in processes if p.name in waiting] or list(processes)
            tails = [f"The end of {p.log}:\n{p.tail()}" for p in shown]
            raise LocalError(f"not ready after {timeout_s:.0f} s:\n" + "\n".join(lines + tails))
        if waiting:
            time.sleep(0.05)
