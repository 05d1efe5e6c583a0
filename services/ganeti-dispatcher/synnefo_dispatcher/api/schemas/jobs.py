"""Answers of `/v1/jobs` and `/v1/health`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class JobError(BaseModel):
    type: str
    message: str
    code: str | None


class Job(BaseModel):
    job_token: str
    server_id: str
    cluster: str
    verb: str
    params: dict[str, Any]
    state: str
    ganeti_job_id: int | None
    attempts: int
    error: JobError | None
    node: str | None
    created_at: str
    updated_at: str
    submitted_at: str | None
    ended_at: str | None


class Link(BaseModel):
    rel: str
    href: str


class JobsBody(BaseModel):
    jobs: list[Job]
    jobs_links: list[Link] = []


class ClusterHealth(BaseModel):
    name: str
    online: bool
    offline: bool
    drained: bool
    error: str | None
    reported_at: str
    queued: int
    in_flight: int
    oldest_job_age_s: float | None


class HealthBody(BaseModel):
    status: str
    clusters: list[ClusterHealth]
