"""Application credentials, and the credentials that users keep here for other uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Row

from synnefo_common.auth import Claims
from synnefo_common.db import UnitOfWork
from synnefo_identity.app import access
from synnefo_identity.app.encryption import encrypt, opened
from synnefo_identity.app.services import Services
from synnefo_identity.db import base, projects
from synnefo_identity.db.credentials import application_credentials, credentials
from synnefo_identity.db.users import users
from synnefo_identity.domain.credential import APPLICATION_CREDENTIAL, Credential, check_scope, id_of, is_ec2, read_keys
from synnefo_identity.domain.errors import Invalid, Missing, Refused
from synnefo_identity.domain.filters import Query

_apps = application_credentials


async def create_application_credential(
    svc: Services,
    claims: Claims,
    values: Mapping[str, Any],
    *,
    secret: str,
    wanted_roles: Sequence[Mapping[str, str]] | None,
) -> Row[Any]:
    """One for the token's user on the token's project; without wanted roles it has the token's. Raises Refused, Invalid (roles), Duplicate."""
    if claims.project_id is None:
        raise Invalid("An application credential is for a project: use a token scoped to one.")
    if claims.credential_id is not None:
        async with svc.db.read() as uow:
            used = await base.get(uow, _apps, claims.credential_id)
        if used is None or not used.unrestricted:
            raise Refused("A restricted application credential cannot make application credentials.")
    held = await _held_roles(svc, claims) if wanted_roles else claims.roles
    role_ids = _choose_roles(held, wanted_roles)
    hashed = await svc.passwords.hash(secret)
    row = {
        **values,
        "id": svc.ids.hex(),
        "user_id": claims.user_id,
        "project_id": claims.project_id,
        "secret_hash": hashed,
        "role_ids": role_ids,
        "created_at": svc.clock.now_us(),
    }
    with base.unique("application_credential", f"Duplicate entry found with name {row['name']}"):
        async with svc.db.begin() as uow:
            await uow.run(_apps.insert().values(**row))
            created = await base.get(uow, _apps, row["id"])
    assert created is not None
    return created


async def _held_roles(svc: Services, claims: Claims) -> Sequence[tuple[str, str]]:
    """What the user holds now, which may be more than when the token was made; by a credential, never more than it has."""
    if claims.credential_id is not None:
        return claims.roles
    async with svc.db.read() as uow:
        project = await base.get(uow, projects.projects, claims.project_id or "")
        role_ids = [] if project is None else await access.roles_on_project(uow, claims.user_id, project)
    graph = await svc.role_graph.get()
    return graph.for_token(role_ids)


def _choose_roles(held: Sequence[tuple[str, str]], wanted: Sequence[Mapping[str, str]] | None) -> list[str]:
    if not wanted:
        return [role_id for role_id, _ in held]
    by_name = {name: role_id for role_id, name in held}
    chosen = []
    for role in wanted:
        role_id = role.get("id") or by_name.get(role.get("name", ""))
        if role_id is None or role_id not in by_name.values():
            raise Invalid(f"The user has no role {role.get('id') or role.get('name')} on the project.")
        chosen.append(role_id)
    return list(dict.fromkeys(chosen))


async def find_application_credential(svc: Services, user_id: str, credential_id: str) -> Row[Any]:
    """Raises Missing."""
    async with svc.db.read() as uow:
        row = await base.get(uow, _apps, credential_id)
    if row is None or row.user_id != user_id:
        raise Missing("Application Credential", credential_id)
    return row


async def find_application_credentials(svc: Services, user_id: str, query: Query) -> list[Row[Any]]:
    """A page of a user's."""
    async with svc.db.read() as uow:
        return list(await uow.all(base.select_rows(_apps, query.narrowed(user_id=user_id))))


async def delete_application_credential(svc: Services, claims: Claims, user_id: str, credential_id: str) -> None:
    """Delete one and end its tokens. Raises Missing, Refused."""
    row = await find_application_credential(svc, user_id, credential_id)
    async with svc.db.begin() as uow:
        if claims.credential_id is not None:
            used = await base.get(uow, _apps, claims.credential_id)
            if used is None or not used.unrestricted:
                raise Refused("A restricted application credential cannot delete application credentials.")
        if not await base.delete(uow, _apps, _apps.c.id == row.id):
            raise Missing("Application Credential", credential_id)
        await svc.revoke(uow, {"credential_id": row.id})


async def role_list(svc: Services, rows: Sequence[Row[Any]]) -> dict[str, list[dict[str, Any]]]:
    """Credential id → its roles as the API shows them."""
    graph = await svc.role_graph.get()
    return {
        row.id: [
            {"id": r.id, "name": r.name, "domain_id": r.domain_id or None}
            for r in (graph.roles[role_id] for role_id in row.role_ids if role_id in graph.roles)
        ]
        for row in rows
    }


async def find_credential(svc: Services, credential_id: str) -> Credential | None:
    """The credential, readable."""
    cipher = await svc.cipher.get()
    async with svc.db.read() as uow:
        row = await base.get(uow, credentials, credential_id)
    return None if row is None else opened(cipher, row)


async def find_credentials(svc: Services, query: Query) -> list[Credential]:
    """A page of credentials, readable."""
    cipher = await svc.cipher.get()
    async with svc.db.read() as uow:
        rows = await uow.all(base.select_rows(credentials, query))
    return [opened(cipher, row) for row in rows]


async def check_delegation(svc: Services, claims: Claims, project_id: str | None, *, ec2: bool) -> None:
    """With an application credential, only what belongs to its project; a restricted one makes no ec2 keys. Raises Refused."""
    if claims.credential_id is None:
        return
    if project_id != claims.project_id:
        raise Refused("Credential project does not match the project scope of the application credential.")
    if ec2:
        async with svc.db.read() as uow:
            used = await base.get(uow, _apps, claims.credential_id)
        if used is None or not used.unrestricted:
            raise Refused("A restricted application credential cannot make credentials.")


async def create_credential(svc: Services, claims: Claims, values: Mapping[str, Any]) -> Credential:
    """A new credential. Raises Duplicate (an ec2 access key), Missing (user, project), Refused, Invalid."""
    made = {"id": svc.ids.hex(), **values}
    is_keys = is_ec2(made["type"])
    await check_delegation(svc, claims, made["project_id"], ec2=is_keys)
    if is_keys:
        if made["project_id"] is None:
            raise Invalid("An ec2 credential needs project_id.")
        keys = read_keys(made["blob"])
        made["id"] = id_of(keys["access"])
        if claims.credential_id is not None:
            made["blob"] = orjson.dumps(keys | {APPLICATION_CREDENTIAL: claims.credential_id}).decode()
    cipher = await svc.cipher.get()
    with base.unique("credential", f"Duplicate ID, {made['id']}."):
        async with svc.db.begin() as uow:
            if await base.get(uow, users, made["user_id"]) is None:
                raise Missing("user", made["user_id"])
            if made["project_id"] is not None and await base.get(uow, projects.projects, made["project_id"]) is None:
                raise Missing("project", made["project_id"])
            await uow.run(credentials.insert().values(**made | {"blob": encrypt(cipher, made["blob"])}))
    return Credential(**made)


async def update_credential(svc: Services, claims: Claims, current: Credential, changes: Mapping[str, Any]) -> Credential:
    """Change a credential; what was signed with an ec2 one is void at once. Raises Missing, Invalid, Refused."""
    new = replace(current, **changes)
    await check_delegation(svc, claims, new.project_id, ec2=is_ec2(new.type))
    if is_ec2(current.type) and not is_ec2(new.type):
        raise Invalid("The type of an ec2 credential cannot be changed.")
    if is_ec2(new.type):
        if claims.credential_id is not None and not is_ec2(current.type):
            raise Refused("With an application credential, create an ec2 credential instead.")
        if new.project_id is None:
            raise Invalid("An ec2 credential needs project_id.")
        keys = read_keys(new.blob)
        if is_ec2(current.type):
            check_scope(read_keys(current.blob), keys)
    values = dict(changes)
    if "blob" in values:
        values["blob"] = encrypt(await svc.cipher.get(), new.blob)
    async with svc.db.begin() as uow:
        if not await base.update(uow, credentials, current.id, values):
            raise Missing("credential", current.id)
        await _void(svc, uow, current)
    return new


async def delete_credential(svc: Services, current: Credential) -> None:
    """Delete one and end what it was good for. Raises Missing."""
    async with svc.db.begin() as uow:
        if not await base.delete(uow, credentials, credentials.c.id == current.id):
            raise Missing("credential", current.id)
        await _void(svc, uow, current)


async def _void(svc: Services, uow: UnitOfWork, credential: Credential) -> None:
    if is_ec2(credential.type):  # its id is the first of the audit chain of all its tokens
        await svc.revoke(uow, {"audit_chain_id": credential.id})
