"""Buckets: containers under names that are one name space for all projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app import containers as containers_app
from synnefo_object.app import versions
from synnefo_object.app.access import Caller
from synnefo_object.app.services import Services
from synnefo_object.db import containers, s3_buckets
from synnefo_object.domain import metadata
from synnefo_object.domain.limits import ACCOUNT_PREFIX
from synnefo_object.domain.paths import Target
from synnefo_object.domain.s3.errors import S3Fault
from synnefo_object.domain.s3.names import check_new_bucket


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that is there."""

    name: str
    project_id: str
    account_id: int
    container_id: int
    container_headers: str

    def target(self, key: str = "") -> Target:
        """What the other APIs call it."""
        return Target(ACCOUNT_PREFIX + self.project_id, self.name, key)

    @property
    def headers(self) -> dict[str, str]:
        """The container's kept headers."""
        found: dict[str, str] = orjson.loads(self.container_headers)
        return found

    @property
    def keeping(self) -> versions.Keeping:
        """What becomes of data that is replaced."""
        return versions.keeping(self.container_headers)


@dataclass(frozen=True, slots=True)
class Key:
    """An object's place, whether there is one or not; with `version`, one version of it."""

    bucket: Bucket
    name: str
    version: str | None = None

    @property
    def target(self) -> Target:
        """What the other APIs call it."""
        return self.bucket.target(self.name)


def own_target(caller: Caller, name: str = "") -> Target:
    """The caller's own account, or a container in it. Raises AccessDenied for nobody."""
    if caller.claims is None or caller.claims.project_id is None:
        raise S3Fault("AccessDenied")
    return Target(ACCOUNT_PREFIX + caller.claims.project_id, name)


async def find(svc: Services, caller: Caller, name: str) -> Bucket:
    """The bucket: the own project's container of that name, else whoever's bucket it is. Raises NoSuchBucket."""
    project_id = caller.claims.project_id if caller.claims is not None else None
    async with svc.db.read() as uow:
        row = await s3_buckets.find(uow, name, project_id=project_id)
    if row is None:
        raise S3Fault("NoSuchBucket", shown={"BucketName": name})
    return Bucket(name, row.project_id, int(row.account_id), int(row.container_id), row.headers)


async def create(svc: Services, caller: Caller, name: str, headers: Mapping[str, str]) -> None:
    """Raises InvalidBucketName, BucketAlreadyOwnedByYou, BucketAlreadyExists."""
    target = own_target(caller, name)
    caller.require_owner(target)
    check_new_bucket(name)

    async def work(uow: UnitOfWork) -> None:
        container_id, created = await containers_app.ensure(uow, svc, target, headers)
        if not created:
            raise S3Fault("BucketAlreadyOwnedByYou", shown={"BucketName": name})
        if not await s3_buckets.claim(uow, name, container_id):
            raise S3Fault("BucketAlreadyExists", shown={"BucketName": name})

    await svc.db.run(work)


async def delete(svc: Services, caller: Caller, bucket: Bucket) -> None:
    """Raises BucketNotEmpty."""
    await containers_app.delete(svc, caller, bucket.target())


async def set_headers(svc: Services, caller: Caller, bucket: Bucket, given: Mapping[str, str]) -> None:
    """Merge into the container's kept headers; empty ones go."""
    caller.require_owner(bucket.target())

    async def work(uow: UnitOfWork) -> None:
        row = await containers.locked(uow, bucket.project_id, bucket.name)
        if row is None:
            raise S3Fault("NoSuchBucket")
        merged = metadata.merge(orjson.loads(row.headers), given, set(), "container")
        await containers.set_headers(uow, row.id, orjson.dumps(merged).decode(), now_us=svc.clock.now_us())

    await svc.db.run(work)


async def page(svc: Services, caller: Caller, *, after: str, prefix: str, limit: int) -> Sequence[Any]:
    """name, created_us of the caller's own. Raises AccessDenied."""
    target = own_target(caller)
    caller.require_reader(target)
    async with svc.db.read() as uow:
        return await s3_buckets.page(uow, target.project_id or "", after=after, prefix=prefix, limit=limit)
