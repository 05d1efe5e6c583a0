"""Owners of roots as services are: they tell their roots in pages."""

import threading
import time

from synnefo_archipelago import Root
from synnefo_archipelago.survey import RootPage


class FakeOwner:
    def __init__(self, *, limit: int = 2) -> None:
        self.roots: dict[str, bytes] = {}
        self.limit = limit
        self.lock = threading.Lock()
        self.is_silent = False

    def keep(self, ident: str, root: Root) -> None:
        with self.lock:
            self.roots[ident] = root.to_bytes()

    def drop(self, ident: str) -> None:
        with self.lock:
            self.roots.pop(ident, None)

    def page(self, epoch: int, after: str) -> RootPage:
        if self.is_silent:
            raise ConnectionError("no answer")
        with self.lock:
            rest = sorted(ident for ident in self.roots if ident > after)
            found = [(ident, self.roots[ident]) for ident in rest[: self.limit]]
        is_last = len(rest) <= self.limit
        return RootPage(found, None if is_last else found[-1][0], is_last)


class Ahead:
    """A clock of which the grace time is always over: what was used before this moment may go."""

    def __init__(self, slack_s: float = 2.0) -> None:
        self.slack_s = slack_s

    def __call__(self) -> float:
        return time.time() + self.slack_s
