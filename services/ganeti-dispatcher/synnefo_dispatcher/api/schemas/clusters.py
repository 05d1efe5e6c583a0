"""Bodies and answers of `/v1/clusters`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _url(text: str) -> str:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is not valid") from None
    if parts.scheme != "https" or not parts.hostname or port == 0:
        raise ValueError("must be https://host[:port]")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://host[:port] without a path")
    return text.rstrip("/")


def _certificate(text: str) -> str:
    try:
        load_pem_x509_certificates(text.encode("ascii"))
    except ValueError as error:
        raise ValueError("must hold a certificate in PEM form") from error
    return text


def _clean(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


Url = Annotated[str, Field(max_length=255, pattern=r"^[!-~]+$"), AfterValidator(_url)]
Username = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_clean)]
Password = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_clean)]
Certificate = Annotated[str, Field(max_length=65536), AfterValidator(_certificate)]
Zone = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_clean)]


class ClusterCreate(BaseModel):
    """A cluster to register."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", description="Its name in our API and in messages.")
    rapi_url: Url = Field(description="`https://host:5080`.")
    username: Username = Field(description="A RAPI user with write access.")
    password: Password
    certificate_pem: Certificate | None = Field(None, description="The RAPI's certificate, pinned; null: a public one.")
    zone: Zone | None = Field(None, description="Availability zone; null: the default one.")
    drained: bool = Field(False, description="No new servers.")
    offline: bool = Field(False, description="Do not talk to it; jobs wait.")


class ClusterChange(BaseModel):
    """What to change; the rest stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = None
    rapi_url: Url | None = None
    username: Username | None = None
    password: Password | None = None
    certificate_pem: Certificate | None = None
    zone: Zone | None = None
    drained: bool | None = None
    offline: bool | None = None


class NodeGroup(BaseModel):
    """A node group of a cluster."""

    name: str
    zone: str | None = Field(description="From the group's tag `synnefo:zone:NAME`, else the cluster's.")
    is_open: bool = Field(description="New servers may go there.")
    node_names: list[str]
    nodes: int
    mem_total_mib: int
    mem_free_mib: int
    disk_total_gib: int
    disk_free_gib: int
    cpu_total: int
    cpu_used: int
    instances: int


class Cluster(BaseModel):
    """A cluster as it is shown."""

    name: str
    rapi_url: str
    username: str
    certificate_pem: str | None
    zone: str | None
    drained: bool
    offline: bool
    online: bool
    error: str | None
    master: str | None
    version: str
    hypervisors: list[str]
    disk_templates: list[str]
    hotplug: bool = Field(description="Devices come and go while instances run.")
    nodes: int
    nodes_offline: list[str]
    nodes_drained: list[str]
    groups: list[NodeGroup]
    mem_total_mib: int
    mem_free_mib: int
    disk_total_gib: int
    disk_free_gib: int
    cpu_total: int
    cpu_used: int
    instances: int
    reported_at: str
    created_at: str
    updated_at: str


class ClusterBody(BaseModel):
    cluster: Cluster


class ClustersBody(BaseModel):
    clusters: list[Cluster]
