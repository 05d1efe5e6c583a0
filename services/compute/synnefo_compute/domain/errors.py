"""Compute's own faults."""

from __future__ import annotations

from synnefo_common.errors import BadRequest, Conflict, NotFound


class ServerNotFound(NotFound):
    """No such server, or not yours."""

    default_code = "compute.server.not_found"

    def __init__(self, server_id: str) -> None:
        super().__init__(f"Instance {server_id[:100]} could not be found.")


class ServerConflict(Conflict):
    """The server's state does not allow the action."""

    default_code = "compute.server.conflict"

    def __init__(self, server_id: str, *, action: str, vm_state: str, task_state: str | None) -> None:
        what, value = ("task_state", task_state) if task_state else ("vm_state", vm_state)
        super().__init__(f"Cannot '{action}' instance {server_id} while it is in {what} {value}")


class ServerLocked(Conflict):
    """Until it is unlocked only administrators may change it."""

    default_code = "compute.server.locked"

    def __init__(self, server_id: str) -> None:
        super().__init__(f"Instance {server_id} is locked")


class FlavorNotFound(NotFound):
    default_code = "compute.flavor.not_found"

    def __init__(self, flavor_id: str) -> None:
        super().__init__(f"Flavor {flavor_id[:100]} could not be found.")


class KeypairNotFound(NotFound):
    default_code = "compute.keypair.not_found"

    def __init__(self, name: str, user_id: str) -> None:
        super().__init__(f"Keypair {name[:100]} not found for user {user_id}")


class ServerGroupNotFound(NotFound):
    default_code = "compute.server_group.not_found"

    def __init__(self, group_id: str) -> None:
        super().__init__(f"Instance group {group_id[:100]} could not be found.")


class InvalidReference(BadRequest):
    """A body names something that does not exist or cannot be used."""

    default_code = "compute.reference.invalid"
