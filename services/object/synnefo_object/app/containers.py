"""Containers: create, show and list, update, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from sqlalchemy.exc import IntegrityError

from synnefo_common.db import UnitOfWork
from synnefo_object.app import listings, version_listings, versions
from synnefo_object.app.access import READ, Caller, unprivileged
from synnefo_object.app.services import Services
from synnefo_object.db import accounts, containers, counters, s3_uploads
from synnefo_object.db.objects import objects
from synnefo_object.db.version_listings import Place
from synnefo_object.domain import metadata
from synnefo_object.domain.acl import clean_acl
from synnefo_object.domain.errors import SwiftFault, not_found
from synnefo_object.domain.listing import Query
from synnefo_object.domain.paths import Target, check_container_name
from synnefo_object.domain.policies import StoragePolicy


@dataclass(frozen=True, slots=True)
class ContainerView:
    created_us: int
    modified_us: int
    objects: int
    bytes: int
    headers: dict[str, str]
    policy: str
    entries: list[tuple[str | None, Any]] | None = None


def _given(headers: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """What to set and what to remove. Raises 400."""
    given = metadata.user_metadata(headers, "container")
    metadata.container_quotas(given)
    for name in metadata.CONTAINER_HEADERS:
        if name in headers:
            given[name] = clean_acl(name, headers[name])
            if not metadata.is_clean(given[name]):
                raise SwiftFault(400, f"{name} must be valid UTF-8")
    removed = metadata.removals(headers, "container")
    named = [name for name in metadata.VERSION_HEADERS if name in headers]
    if sum(1 for name in named if headers[name]) > 1:
        raise SwiftFault(400, "Only one of X-Versions-Location or X-History-Location may be specified")
    for name in named:
        location = unquote(headers[name]).strip("/")
        if "/" in location or "\x00" in location or not metadata.is_clean(location):
            raise SwiftFault(412, f"{name} must be the name of a container")
        given[name] = location
        if location:
            removed.update(other for other in metadata.VERSION_HEADERS if other != name)
    if versions.HEADER in headers:
        given[versions.HEADER] = "True" if headers[versions.HEADER].strip().lower() in metadata.TRUE else "False"
    removed.update(name for name in metadata.VERSION_HEADERS if "x-remove-" + name[2:] in headers and not given.get(name))
    return given, removed


async def show(
    svc: Services, caller: Caller, target: Target, query: Query | None, *, versions_behind: Place | None = None, all_versions: bool = False
) -> ContainerView:
    """Totals, and with a query the objects, or `all_versions` of them from behind a version on."""
    async with svc.db.read() as uow:
        row = await containers.totals(uow, target.project_id or "", target.container)
        await caller.require(READ, target, row.headers if row else None)
        if row is None:
            raise not_found()
        entries: list[tuple[str | None, Any]] | None = None
        if query is not None and all_versions:
            entries = await version_listings.fetch(uow, row.id, query, versions_behind)
        elif query is not None:
            entries = await listings.fetch(uow, objects, row.id, query)
    headers, policy = orjson.loads(row.headers), policy_name(svc, row.policy)
    return ContainerView(row.created_us, row.modified_us, int(row.objects), int(row.bytes), headers, policy, entries)


def read_policy(svc: Services, headers: Mapping[str, str]) -> StoragePolicy | None:
    """The policy that X-Storage-Policy asks for. Raises 400 for one that is unknown or takes no new containers."""
    name = headers.get("x-storage-policy")
    if not name:
        return None
    policy = svc.stores.policies.by_name(name)
    if policy is None:
        raise SwiftFault(400, f"Invalid X-Storage-Policy {name!r}")
    if policy.is_deprecated:
        raise SwiftFault(400, f"Storage Policy {policy.name!r} is deprecated")
    return policy


def policy_name(svc: Services, pool: str) -> str:
    """What clients call a container's policy; a pool that the settings have no more goes by its last name."""
    policy = svc.stores.policies.by_pool(pool)
    return policy.name if policy is not None else pool


async def put(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> bool:
    """Create, or update what is there; True if it is new."""
    caller.require_writer(target)
    check_container_name(target.container)
    given, removed = _given(headers if caller.owns(target) else unprivileged(headers))
    policy = read_policy(svc, headers)

    async def work(uow: UnitOfWork) -> bool:
        _, created = await ensure(uow, svc, target, given, policy=policy)
        if not created and (given or removed):
            await _merge(uow, svc, target, given, removed)
        return created

    return await svc.db.run(work)


async def ensure(
    uow: UnitOfWork, svc: Services, target: Target, given: Mapping[str, str], *, policy: StoragePolicy | None = None
) -> tuple[int, bool]:
    """The container's id, and whether this made it. Raises 409 if it is there with another policy than the one asked for."""
    assert target.project_id is not None
    now_us = svc.clock.now_us()
    await accounts.ensure(uow, target.project_id, now_us=now_us)
    account = await accounts.locked(uow, target.project_id)
    assert account is not None
    kept = _merged({}, given, set())
    pool = (policy or svc.stores.policies.default).pool
    text = orjson.dumps(kept).decode()
    created = await containers.create(uow, account_id=account.id, name=target.container, headers=text, policy=pool, now_us=now_us)
    if created is not None:
        await counters.add(uow, account_id=account.id, container_id=None, containers=1, now_us=now_us)
        return created, True
    row = await containers.locked(uow, target.project_id, target.container)
    assert row is not None
    if policy is not None and svc.stores.policies.by_pool(row.policy) is not policy:
        raise SwiftFault(409)
    return int(row.id), False


def _merged(current: Mapping[str, str], given: Mapping[str, str], removed: set[str]) -> dict[str, str]:
    merged = metadata.merge(current, given, removed, "container")
    if versions.HEADER in merged and any(merged.get(name) for name in metadata.VERSION_HEADERS):
        raise SwiftFault(400, "X-Versions-Enabled excludes X-Versions-Location and X-History-Location.")
    return merged


async def _merge(uow: UnitOfWork, svc: Services, target: Target, given: Mapping[str, str], removed: set[str]) -> None:
    row = await containers.locked(uow, target.project_id or "", target.container)
    if row is None:
        raise not_found()
    merged = _merged(orjson.loads(row.headers), given, removed)
    await containers.set_headers(uow, row.id, orjson.dumps(merged).decode(), now_us=svc.clock.now_us())


async def update(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str]) -> None:
    """POST: merge metadata and ACLs."""
    caller.require_writer(target)
    given, removed = _given(headers if caller.owns(target) else unprivileged(headers))

    async def work(uow: UnitOfWork) -> None:
        await _merge(uow, svc, target, given, removed)

    await svc.db.run(work)


async def delete(svc: Services, caller: Caller, target: Target) -> None:
    """Raises 404, and 409 if it holds objects."""
    caller.require_writer(target)

    async def work(uow: UnitOfWork) -> None:
        row = await containers.locked(uow, target.project_id or "", target.container)
        if row is None:
            raise not_found()
        abandoned = await s3_uploads.remove_all(uow, row.id)
        if not await containers.delete_empty(uow, row.id):
            raise SwiftFault(409, "Delete all versions before deleting container." if versions.HEADER in row.headers else None)
        await counters.add(uow, account_id=row.account_id, container_id=None, containers=-1, bytes_=-abandoned, now_us=svc.clock.now_us())

    try:
        await svc.db.run(work)
    except IntegrityError as error:  # an upload came in between
        raise SwiftFault(409) from error
