"""The faults of this service in Keystone's terms."""

from __future__ import annotations

from synnefo_common.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized

UNAUTHORIZED = "The request you have made requires authentication."


class LoginFailed(Unauthorized):
    """401 with one message for every reason, so that nobody learns which part was wrong."""

    default_code = "identity.auth.failed"

    def __init__(self) -> None:
        super().__init__(UNAUTHORIZED)


class MethodNotSupported(Unauthorized):
    """401: an authentication method that this cloud does not have."""

    default_code = "identity.auth.method_not_supported"

    def __init__(self) -> None:
        super().__init__("Attempted to authenticate with an unsupported method.")


class Missing(NotFound):
    """404 for a resource by kind and id."""

    default_code = "identity.not_found"

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(f"Could not find {kind}: {reference}.")


class Duplicate(Conflict):
    """409: the name or pair is taken."""

    default_code = "identity.duplicate"

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"Conflict occurred attempting to store {kind} - {detail}.")


class NotAllowed(Forbidden):
    """403 by policy."""

    default_code = "policy.denied"

    def __init__(self, rule: str) -> None:
        super().__init__(f"You are not authorized to perform the requested action: {rule}.")


class Refused(Forbidden):
    """403: allowed by policy, but the resource's state forbids it."""

    default_code = "identity.refused"


class Invalid(BadRequest):
    """400: the body or a reference in it does not make sense."""

    default_code = "identity.invalid"
