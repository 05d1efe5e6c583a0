"""Named places where a test kills the process. Nothing happens there in production."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

_hook: Callable[[str], None] | None = None
_seen: set[str] = set()


class CrashInjected(BaseException):
    """The process 'died' here: the application must be dropped without clean-up and built anew on the same files."""


def crashpoint(name: str) -> None:
    """Die here if armed. `name` is `<service>.<what>.<where>`."""
    if _hook is not None:
        _hook(name)


def arm(name: str, *, hit: int = 1) -> None:
    """Raise `CrashInjected` at the `hit`-th passage of `name` (in process)."""
    left = hit

    def hook(passed: str) -> None:
        nonlocal left
        _seen.add(passed)
        if passed == name:
            left -= 1
            if left == 0:
                raise CrashInjected(name)

    install(hook)


def observe() -> set[str]:
    """Collect the names passed from now on; returns the live set."""
    _seen.clear()
    install(_seen.add)
    return _seen


def disarm() -> None:
    """Back to production behaviour."""
    install(None)


def arm_from_environment() -> None:
    """Arm a process as a test asks: SIGKILL to self.

    `SYNNEFO_CRASHPOINT=name[@hit]`: at that passage. `SYNNEFO_CRASHPOINT=/file`: at the point whose name the file holds when
    it is passed; who dies takes the file away, so that it happens once.
    """
    text = os.environ.get("SYNNEFO_CRASHPOINT")
    if not text:
        return
    if text.startswith("/"):
        install(lambda passed: _die_if_named(Path(text), passed))
        return
    name, _, hit = text.partition("@")
    left = int(hit or 1)

    def hook(passed: str) -> None:
        nonlocal left
        if passed == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    install(hook)


def _die_if_named(file: Path, passed: str) -> None:
    try:
        if file.read_text() != passed:
            return
        file.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def install(hook: Callable[[str], None] | None) -> None:
    """Call `hook` at every crash point; None for none (tests)."""
    global _hook  # noqa: PLW0603 - the one switch of this module
    _hook = hook
