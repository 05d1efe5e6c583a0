"""Ganeti's remote API. The only package that speaks it."""

from synnefo_dispatcher.rapi.client import RapiClient
from synnefo_dispatcher.rapi.errors import (
    JobNotFound,
    NotFound,
    RapiError,
    RapiRefused,
    RapiTimeout,
    RapiUnauthorized,
    RapiUnreachable,
    RapiUntrusted,
)
from synnefo_dispatcher.rapi.jobs import Job, JobChange, JobFailure, find_failure
from synnefo_dispatcher.rapi.resources import Disk, Group, Instance, InstanceSpec, Nic, Node
from synnefo_dispatcher.rapi.transport import PinnedHttpTransport, RapiResponse, Transport, TransportFailed

__all__ = [
    "Disk",
    "Group",
    "Instance",
    "InstanceSpec",
    "Job",
    "JobChange",
    "JobFailure",
    "JobNotFound",
    "Nic",
    "Node",
    "NotFound",
    "PinnedHttpTransport",
    "RapiClient",
    "RapiError",
    "RapiRefused",
    "RapiResponse",
    "RapiTimeout",
    "RapiUnauthorized",
    "RapiUnreachable",
    "RapiUntrusted",
    "Transport",
    "TransportFailed",
    "find_failure",
]
