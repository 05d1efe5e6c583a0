"""Section `[dispatcher]`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synnefo_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What an operator may set for the dispatcher."""

    section: ClassVar[str] = "dispatcher"

    secret_key: str = Field(
        "",
        description=(
            "Key that encrypts the clusters' passwords in the database: 32 bytes in URL-safe base64 (a Fernet key). Several with "
            "commas between them for the time of a change: the first encrypts, all decrypt, and the worker that starts puts all passwords "
            "under the first. Empty: derived from service_password "
            "by HKDF-SHA256, so changing that password then makes the stored ones unreadable."
        ),
        json_schema_extra={"secret": True},
    )
    worker_name: str = Field(
        "", description="Name of this worker in the leases on clusters, unique among dispatchers; empty: made up."
    )
    instance_prefix: str = Field("snf-", description="Prefix of our instances' names in Ganeti; others are not touched.")
    hypervisor: dict[str, str] = Field(
        default_factory=dict, description="Hypervisor of new instances by cluster; default: the first that it enables."
    )
    default_iallocator: str = Field(
        "", description="Instance allocator on clusters of several nodes; empty: the cluster's own default."
    )
    opportunistic_locking: bool = Field(
        True, description="Create with opportunistic locking where an allocator chooses the node; retried without."
    )
    max_jobs_in_flight: int = Field(50, description="Most jobs of ours at a time in one cluster's queue.", ge=1)
    long_polls: int = Field(
        10, description="Most jobs of one cluster followed by long poll (RAPI serves 20 connections); others by list.", ge=1
    )
    rapi_timeout_s: float = Field(15.0, description="How long an answer of RAPI may take.", gt=0)
    resubmit_after_s: float = Field(
        20.0,
        description=(
            "Age at which a submission without answer and without trace in Ganeti is made again. Must be more than rapi_timeout_s."
        ),
        gt=0,
    )
    max_attempts: int = Field(20, description="Submissions of one job before it fails, if RAPI errs each time.", ge=1)
    bulk_poll_s: float = Field(1.5, description="Pause between two lists of a cluster's jobs.", gt=0)
    lease_s: float = Field(10.0, description="Term of the lease on a cluster: a dead dispatcher's are taken after it.", gt=0)
    poll_s: float = Field(1.0, description="Longest pause between two looks for new jobs and clusters.", gt=0)
    report_period_s: float = Field(15.0, description="Pause between two reports of a cluster's capacity.", gt=0)
    report_debounce_s: float = Field(1.0, description="Pause between the end of jobs and the report that counts them.")
    retry_s: float = Field(2.0, description="Pause before a cluster that does not answer is asked again.", gt=0)
    job_retention_s: float = Field(
        7 * 86400.0, description="How long ended jobs are kept; a repeated token is known for so long."
    )
    emit_all_states: bool = Field(
        False, description="Also emit ganeti.job.submitted and ganeti.job.running (two more messages per job)."
    )
