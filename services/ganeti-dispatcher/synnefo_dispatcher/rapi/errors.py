"""What can go wrong between us and a cluster's RAPI, told apart by what the dispatcher may do next.

Not for: errors of jobs (`jobs.JobFailure`): a job that fails was accepted.
"""


class RapiError(Exception):
    """Any failure of a call."""

    #: whether the cluster may have carried out the call all the same
    is_outcome_unknown = False


class RapiUnreachable(RapiError):
    """No connection, or a wrong certificate: the call has not been made. Try again later."""


class RapiUntrusted(RapiUnreachable):
    """Whoever answers does not show the certificate: nothing was said to them. An operator has to look."""


class RapiTimeout(RapiError):
    """Sent, and no answer, or an answer that is not RAPI's: **the outcome is unknown**. Look for the token first."""

    is_outcome_unknown = True


class RapiUnauthorized(RapiError):
    """401 or 403: our credentials are wrong or may not do this. An operator has to mend them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class RapiRefused(RapiError):
    """RAPI answered with an error: the call was not carried out, unless `is_outcome_unknown`."""

    def __init__(self, code: int, message: str, explain: str = "") -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.explain = explain
        parsed = message.startswith("Failed to parse request")
        self.is_outcome_unknown = code in (500, 502, 504) and not parsed

    @property
    def is_queue_closed(self) -> bool:
        """The job queue is full or drained: nothing can be submitted for now."""
        return self.code == 503 and "queue" in self.message.lower()


class NotFound(RapiRefused):
    """404: no such instance, node, group or network."""


class JobNotFound(RapiError):
    """The cluster does not know the job (any more)."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is not known")
        self.job_id = job_id
