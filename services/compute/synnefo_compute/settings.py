"""Section `[compute]`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from synnefo_common.health import DEFAULT_PORTS
from synnefo_common.settings import ServiceSettings, SettingsError
from synnefo_compute.domain.allocator import FILTERS, WEIGHERS


def _known(names: Iterable[str], table: Mapping[str, object], what: str) -> None:
    unknown = sorted(set(names) - set(table))
    if unknown:
        raise ValueError(f"{what} {unknown[0]!r} is not known; there are {', '.join(table)}")


class Settings(ServiceSettings):
    """What an operator may set for compute."""

    section: ClassVar[str] = "compute"

    instance_prefix: str = Field("snf-", description="Prefix of our instances' names in Ganeti; others are never touched.")
    default_os: str = Field("synnefo-image+default", description="OS definition of new instances in Ganeti.")
    disk_provider: str = Field("archipelago", description="ExtStorage provider of server disks.")
    nic_mode: str = Field("bridged", description="Ganeti NIC mode.")
    nic_link: str = Field("br0", description="Ganeti NIC link.")
    availability_zone: str = Field("nova", description="Zone of clusters whose node group names none.")
    cpu_ratio: float = Field(16.0, description="Virtual CPUs sold per real one.")
    ram_ratio: float = Field(1.0, description="Memory sold per real memory.")
    disk_ratio: float = Field(1000.0, description="Disk sold per real disk; volumes are thin and live in the block store.")
    cluster_stale_s: float = Field(120.0, description="A cluster that has not reported for so long gets no new servers.")
    filters: list[str] = Field(
        ["refused", "drained", "project", "zone", "hypervisor", "disk_template", "ram", "cpu", "disk"],
        description="What a place for a new server must pass, in this order. All there are is the default.",
    )
    weighers: dict[str, float] = Field(
        {"ram": 1.0, "servers": 0.001},
        description="What makes a place less wanted, by factor: share in use of `ram`, `cpu`, `disk`, number of `servers`. Negative: fill it first.",
    )
    project_clusters: dict[str, str] = Field(
        default_factory=dict, description="Clusters (commas between) where a project's servers go, by project id; others' servers do not go there."
    )
    offline_patience_s: float = Field(600.0, description="How long a new server waits for a cluster while all that could take it are offline.")
    job_timeout_s: float = Field(900.0, description="Longest wait for a job in Ganeti before it is asked for again.")
    max_page: int = Field(1000, description="Largest page of a list.")
    metadata_items: int = Field(128, description="Metadata items a server may have.")
    default_networks: str = Field("auto", description="Networks of a server that names none: `auto` or `none`.")
    force_config_drive: bool = Field(False, description="Give every new server a config drive, whatever its user asks for.")
    guest_domain: str = Field("", description="Domain that guests put behind their host names; empty: none.")
    vendor_data_file: str = Field(
        "", description="A file with a JSON object for all guests: their vendor_data.json, and `static` of their vendor_data2.json. Read at start."
    )
    metadata_secret: str = Field(
        "",
        description="What the nodes' metadata proxies sign requests with. Empty: there is no metadata service.",
        json_schema_extra={"secret": True},
    )
    metadata_host: str = Field("", description="Address at which the metadata service listens for the nodes' proxies; empty: listen_host.")
    metadata_port: int = Field(DEFAULT_PORTS["metadata"], ge=1, le=65535, description="Port of the metadata service.")
    resize_disk: bool = Field(True, description="Grow the root volume when a resize has a larger disk.")
    overdue_s: float = Field(120.0, description="Age of a task before the reconciler looks after it.")

    def vendor_data(self) -> dict[str, Any]:
        """What the file says. Raises SettingsError."""
        if not self.vendor_data_file:
            return {}
        try:
            found = json.loads(Path(self.vendor_data_file).read_text())
        except (OSError, ValueError) as error:
            raise SettingsError(f"setting compute.vendor_data_file: {error}") from error
        if not isinstance(found, dict):
            raise SettingsError("setting compute.vendor_data_file: the file must hold a JSON object")
        return found

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, names: list[str]) -> list[str]:
        _known(names, FILTERS, "filter")
        return names

    @field_validator("weighers")
    @classmethod
    def _check_weighers(cls, factors: dict[str, float]) -> dict[str, float]:
        _known(factors, WEIGHERS, "weigher")
        return factors
