"""Count the statements of a piece of code: the budget of a request is held by tests with this."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Executable

from synnefo_common.db.engine import Database


class QueryRecorder:
    """The statements seen, in order."""

    def __init__(self) -> None:
        self.statements: list[Executable] = []

    @property
    def count(self) -> int:
        return len(self.statements)

    def texts(self) -> list[str]:
        """The statements as SQL, for a failure message."""
        return [" ".join(str(s).split()) for s in self.statements]


@contextlib.contextmanager
def record_queries(*databases: Database) -> Iterator[QueryRecorder]:
    """Record what is executed on the databases by anyone within the block."""
    recorder = QueryRecorder()
    for db in databases:
        db.recorders.append(recorder.statements.append)
    try:
        yield recorder
    finally:
        for db in databases:
            db.recorders.remove(recorder.statements.append)
