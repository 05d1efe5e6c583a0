"""Bodies of projects, domains and roles."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from synnefo_identity.api.schemas.base import Body, Bool, Id, Name64, Name255, Options, Resource, Text

Tag = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^,/]+$")]


def check_tags(tags: list[str]) -> list[str]:
    """At most 80, none twice."""
    if len(set(tags)) != len(tags):
        raise ValueError("tags must be different from each other")
    return tags


class ProjectCreate(Resource):
    """A new project, or a domain if `is_domain`."""

    name: Name64
    domain_id: Id | None = None
    parent_id: Id | None = None
    is_domain: Bool = False
    enabled: Bool = True
    description: Text | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=80)
    options: Options | None = None

    _tags = field_validator("tags")(check_tags)


class ProjectUpdate(Resource):
    """Changes of a project; domain and parent stay."""

    name: Name64 = ""
    domain_id: Id | None = None
    parent_id: Id | None = None
    is_domain: Bool = False
    enabled: Bool = True
    description: Text | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=80)
    options: Options | None = None

    _tags = field_validator("tags")(check_tags)


class ProjectCreateBody(Body):
    """`POST /v3/projects`."""

    project: ProjectCreate


class ProjectUpdateBody(Body):
    """`PATCH /v3/projects/{project_id}`."""

    project: ProjectUpdate


class TagsBody(Body):
    """`PUT /v3/projects/{project_id}/tags`."""

    tags: list[Tag] = Field(max_length=80)

    _tags = field_validator("tags")(check_tags)


class DomainCreate(Resource):
    """A new domain."""

    name: Name64
    enabled: Bool = True
    description: Text | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=80)
    options: Options | None = None
    explicit_domain_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$")] | None = None

    _tags = field_validator("tags")(check_tags)


class DomainUpdate(Resource):
    """Changes of a domain."""

    name: Name64 = ""
    enabled: Bool = True
    description: Text | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=80)
    options: Options | None = None

    _tags = field_validator("tags")(check_tags)


class DomainCreateBody(Body):
    """`POST /v3/domains`."""

    domain: DomainCreate


class DomainUpdateBody(Body):
    """`PATCH /v3/domains/{domain_id}`."""

    domain: DomainUpdate


class RoleCreate(Resource):
    """A new role."""

    name: Name255
    domain_id: Id | None = None
    description: Text | None = None
    options: Options | None = None


class RoleUpdate(Resource):
    """Changes of a role."""

    name: Name255 = ""
    description: Text | None = None
    options: Options | None = None


class RoleCreateBody(Body):
    """`POST /v3/roles`."""

    role: RoleCreate


class RoleUpdateBody(Body):
    """`PATCH /v3/roles/{role_id}`."""

    role: RoleUpdate
