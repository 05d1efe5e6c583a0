"""Bodies of users and groups."""

from __future__ import annotations

from pydantic import BaseModel

from synnefo_identity.api.schemas.base import Body, Bool, Id, Name64, Name255, Options, Password, Resource, Text


class UserCreate(Resource):
    """A new user. Unknown keys are kept as extra attributes."""

    name: Name255
    domain_id: Id | None = None
    default_project_id: Id | None = None
    enabled: Bool = True
    password: Password | None = None
    options: Options | None = None


class UserUpdate(Resource):
    """Changes of a user."""

    name: Name255 = ""
    domain_id: Id | None = None
    default_project_id: Id | None = None
    enabled: Bool = True
    password: Password | None = None
    options: Options | None = None


class PasswordChange(BaseModel):
    """The old and the new password."""

    original_password: Password
    password: Password


class UserCreateBody(Body):
    """`POST /v3/users`."""

    user: UserCreate


class UserUpdateBody(Body):
    """`PATCH /v3/users/{user_id}`."""

    user: UserUpdate


class PasswordChangeBody(Body):
    """`POST /v3/users/{user_id}/password`."""

    user: PasswordChange


class GroupCreate(Resource):
    """A new group."""

    name: Name64
    domain_id: Id | None = None
    description: Text | None = None


class GroupUpdate(Resource):
    """Changes of a group."""

    name: Name64 = ""
    domain_id: Id | None = None
    description: Text | None = None


class GroupCreateBody(Body):
    """`POST /v3/groups`."""

    group: GroupCreate


class GroupUpdateBody(Body):
    """`PATCH /v3/groups/{group_id}`."""

    group: GroupUpdate
