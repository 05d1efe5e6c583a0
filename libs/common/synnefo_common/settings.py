"""Settings: TOML files read in name order, one section per component, environment over files, secrets also from files.

A component registers its class by the entry point group `synnefo.settings`; what is installed is what may be set.
Not for values that change at run time.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synnefo_common.health import DEFAULT_ETC, DEFAULT_PORTS

ENV_PREFIX = "SYNNEFO_"
SERVICES = ("identity", "compute", "network", "image", "volume", "object", "dispatcher")


class SettingsError(Exception):
    """A setting is wrong, missing or unknown; the message names it."""


def _default_urls() -> dict[str, str]:
    return {name: f"http://127.0.0.1:{DEFAULT_PORTS[name]}" for name in SERVICES}


class Section(BaseModel):
    """A section of the settings files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    section: ClassVar[str] = ""


class CommonSettings(Section):
    """Section `[common]`: what all services of one cloud agree on."""

    section: ClassVar[str] = "common"

    region: str = Field("RegionOne", description="Region id in the catalogue.")
    bus_url: str = Field("memory:", description="`memory:` (one process) or amqp://user:password@host:port/.")
    log_format: str = Field("console", description="`console` or `json`.", pattern="^(console|json)$")
    log_stream: str = Field("stderr", description="Where logs go: `stderr`, or `stdout` as containers want it.", pattern="^(stderr|stdout)$")
    log_level: str = Field("INFO", description="Least level that is logged.")
    internal_urls: dict[str, str] = Field(default_factory=_default_urls, description="Base URL of each service for calls between services.")
    public_urls: dict[str, str] = Field(default_factory=_default_urls, description="Base URL of each service as the catalogue shows it.")
    max_body_bytes: int = Field(1 << 20, description="Largest JSON body accepted, bytes (data uploads are streamed and not limited by this).")
    revocation_max_age_s: float = Field(60.0, description="A process whose revocation log is older answers 503.")
    request_timeout_s: float = Field(60.0, description="Deadline of a request, seconds.")

    @field_validator("internal_urls", "public_urls", mode="before")
    @classmethod
    def _merge_urls(cls, value: object) -> object:
        """A table that names some services leaves the others at their well-known ports."""
        return {**_default_urls(), **value} if isinstance(value, Mapping) else value


class ServiceSettings(Section):
    """What every service's section has."""

    listen_host: str = Field("127.0.0.1", description="Address to listen on.")
    listen_port: int = Field(0, description="Port to listen on; 0 takes the service's well-known port.")
    worker_port: int = Field(
        0, description="Port on which a worker process without API shows /healthz, /readyz and /metrics; 0: none.", ge=0, le=65535
    )
    database_url: str = Field("sqlite://", description="sqlite:////path or postgresql://user@host:port/name.")
    service_password: str = Field("", description="Password of this service's user in project `service`.", json_schema_extra={"secret": True})
    service_password_old: str = Field(
        "",
        description="The password before, for the time of a change: tried when identity refuses service_password.",
        json_schema_extra={"secret": True},
    )
    cors_origins: list[str] = Field(default_factory=lambda: ["*"], description="Origins that browsers may call from.")
    drain_s: float = Field(
        0.0, ge=0,
        description="Seconds for which a process that is to stop goes on serving while /readyz says 503, so that load balancers notice.",
    )  # fmt: skip
    reconcile_period_s: float = Field(60.0, description="Seconds between two runs of each reconciler.")

    common: CommonSettings = Field(default_factory=CommonSettings, exclude=True)

    @property
    def port(self) -> int:
        """The port to listen on."""
        return self.listen_port or DEFAULT_PORTS[self.section]


S = TypeVar("S", bound=ServiceSettings)


def etc_directory() -> Path:
    """`SYNNEFO_ETC` or /etc/synnefo."""
    return Path(os.environ.get("SYNNEFO_ETC") or DEFAULT_ETC)


def read_files(etc: Path | None = None) -> dict[str, Any]:
    """All `*.toml` of the directory, merged in name order. Raises SettingsError with the file's name."""
    merged: dict[str, Any] = {}
    for path in sorted((etc or etc_directory()).glob("*.toml")):
        try:
            _merge(merged, tomllib.loads(path.read_text()))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: {error}") from error
    return merged


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value if not isinstance(value, Mapping) else {**value}


def installed_sections() -> dict[str, type[Section]]:
    """Section name → settings class of every installed component, `common` first."""
    found: dict[str, type[Section]] = {"common": CommonSettings}
    for point in sorted(entry_points(group="synnefo.settings"), key=lambda p: p.name):
        found[point.name] = point.load()
    return found


def check_section_names(values: Mapping[str, Any]) -> None:
    """Raise SettingsError for a section that belongs to no installed component and to no service of the fleet."""
    known = {"common", *SERVICES, *(p.name for p in entry_points(group="synnefo.settings"))}
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingsError(f"unknown section [{unknown[0]}] (known: {', '.join(sorted(known))})")


def _read_secret_files(values: dict[str, Any], where: str) -> None:
    for key, table in values.items():
        if isinstance(table, dict):
            values[key] = {**table}
            _read_secret_files(values[key], f"{where}.{key}")
    for key in [k for k in values if k.endswith("_file") and isinstance(values[k], str)]:
        path = Path(values.pop(key))
        try:
            values[key.removesuffix("_file")] = path.read_text().strip()
        except OSError as error:
            raise SettingsError(f"{where}.{key}: cannot read {path}: {error.strerror}") from error


def _from_environment(section: str, model: type[BaseModel]) -> dict[str, Any]:
    prefix = f"{ENV_PREFIX}{section.upper()}_"
    found: dict[str, Any] = {}
    for name, text in os.environ.items():
        key = name.removeprefix(prefix).lower()
        if not name.startswith(prefix):
            continue
        field = model.model_fields.get(key.removesuffix("_file") if key not in model.model_fields else key)
        if field is None:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, (str, int, float, bool)):
            found[key] = text
        else:
            try:
                found[key] = tomllib.loads(f"x = {text}")["x"]
            except tomllib.TOMLDecodeError:
                found[key] = text
    return found


def build_section(cls: type[Section], values: Mapping[str, Any], **extra: Any) -> Section:
    """One validated section. Raises SettingsError naming `section.key`."""
    merged = {**values}
    _merge(merged, _from_environment(cls.section, cls))
    _read_secret_files(merged, cls.section)
    try:
        return cls(**merged, **extra)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"setting {cls.section}.{key}: {first['msg']}") from error


def load_settings(cls: type[S], etc: Path | None = None) -> S:
    """The settings of one service, with `.common` filled in."""
    values = read_files(etc)
    check_section_names(values)
    common = build_section(CommonSettings, values.get("common", {}))
    built = build_section(cls, values.get(cls.section, {}), common=common)
    assert isinstance(built, cls)
    return built


def show_value(key: str, value: object) -> str:
    """For people to read: secrets hidden, also the passwords in URLs."""
    if value and any(word in key for word in ("password", "secret", "bootstrap")):
        return "***"
    return re.sub(r"(://[^:/@\s]*:)[^@\s]*@", r"\1***@", repr(value))
