"""The dispatcher's own errors."""

from __future__ import annotations

from synnefo_common.errors import BadRequest, Conflict, NotFound


class ClusterNotFound(NotFound):
    """404."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cluster {name[:64]!r} is not known.", code="dispatcher.cluster.not_found")


class ClusterExists(Conflict):
    """409."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cluster {name!r} is known already.", code="dispatcher.cluster.exists")


class ClusterRefused(BadRequest):
    """400: nothing was stored."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Cluster {name!r} was tried with these particulars and refused them: {why}", code="dispatcher.cluster.refused")


class ClusterUnreachable(Conflict):
    """409: nothing was changed."""

    def __init__(self, name: str, why: str) -> None:
        text = f"Cluster {name!r} does not answer with these particulars: {why} Set `offline` in the same call to change them untried."
        super().__init__(text, code="dispatcher.cluster.unreachable")


class SameCluster(Conflict):
    """409."""

    def __init__(self, name: str, other: str) -> None:
        super().__init__(f"What answers as {name!r} is the cluster that is known as {other!r}.", code="dispatcher.cluster.same")


class ClusterInUse(Conflict):
    """409."""

    def __init__(self, name: str, *, instances: int, jobs: int) -> None:
        super().__init__(
            f"Cluster {name!r} has {instances} instances and {jobs} unfinished jobs of ours; use ?force=true to forget it.",
            code="dispatcher.cluster.in_use",
        )


class InstanceNotFound(NotFound):
    """404."""

    def __init__(self, server_id: str) -> None:
        super().__init__(f"No cluster has an instance of server {server_id}.", code="dispatcher.instance.not_found")


class ConsoleUnavailable(Conflict):
    """409."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="dispatcher.console.unavailable")
