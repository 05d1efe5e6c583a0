"""Containers and accounts as Pithos shows and changes them: policies, groups, what others may see, how it was at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from synnefo_common.db import UnitOfWork
from synnefo_object.app import containers as swift
from synnefo_object.app import quotas
from synnefo_object.app.access import READ, WRITE, Caller
from synnefo_object.app.pithos import listings, sharing
from synnefo_object.app.pithos.history import purge_container
from synnefo_object.app.services import Services
from synnefo_object.app.versions import HEADER as VERSIONING
from synnefo_object.db import accounts, containers, counters, grants, history, payers
from synnefo_object.domain import metadata
from synnefo_object.domain.errors import SwiftFault, bad_request, not_found
from synnefo_object.domain.limits import MAX_GROUPS
from synnefo_object.domain.listing import Query
from synnefo_object.domain.paths import Target, check_container_name
from synnefo_object.domain.pithos import MetaFilter

QUOTA = "x-container-meta-quota-bytes"
_POLICY = "x-container-policy-"


@dataclass(frozen=True, slots=True)
class View:
    """What HEAD and GET tell; `is_whole` is False for what others see."""

    is_whole: bool
    modified_us: int
    objects: int = 0
    bytes: int = 0
    containers: int = 0
    until_us: int | None = None
    pool: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    quota: int = -1
    entries: Sequence[Any] = ()
    shared: dict[str, sharing.Entry] = field(default_factory=dict)
    who: Sequence[str] | None = None
    links: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is asked for beside its page."""

    meta: Sequence[MetaFilter] = ()
    shared: bool = False
    public: bool = False
    until_us: int | None = None


def policy(headers: Mapping[str, str]) -> dict[str, str]:
    """The policy of a container with these kept headers."""
    found = {
        "quota": headers.get(QUOTA, "0"),
        "versioning": "auto" if headers.get(VERSIONING) == "True" else "none",
    }
    return found | ({"project": headers[metadata.PAYER]} if metadata.PAYER in headers else {})


def read_policy(headers: Mapping[str, str]) -> dict[str, str]:
    """X-Container-Policy-… as the headers that a container keeps; empty values are defaults. Raises 400."""
    found: dict[str, str] = {}
    for header, value in headers.items():
        if not header.startswith(_POLICY):
            continue
        name = header[len(_POLICY) :]
        if name == "versioning" and value in ("auto", "none", ""):
            found[VERSIONING] = "False" if value == "none" else "True"
        elif name == "quota" and (not value or (value.isascii() and value.isdigit() and len(value) < 19)):
            found[QUOTA] = value if value.strip("0") else ""
        elif name == "project" and len(value) <= 64 and metadata.is_clean(value):
            found[metadata.PAYER] = value
        else:
            raise bad_request(f"Bad X-Container-Policy-{name} header")
    return found


async def put(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], *, is_pithos: bool) -> bool:
    """Create with history kept, unless told otherwise; or merge into what is there. True if it is new."""
    await caller.learn(target)
    caller.require_writer(target)
    check_container_name(target.container)
    given = metadata.user_metadata(headers, "container") | read_policy(headers)
    policy = swift.read_policy(svc, headers)
    default = {VERSIONING: "True"} if is_pithos else {}
    _check_payer(caller, target, given)

    async def work(uow: UnitOfWork) -> bool:
        kept = {name: value for name, value in given.items() if name != metadata.PAYER}
        _, created = await swift.ensure(uow, svc, target, default | kept, policy=policy)
        if given and (not created or metadata.PAYER in given):
            await _change(uow, svc, target, given, replace=False)
        return created

    return await svc.db.run(work)


async def update(svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], *, replace: bool) -> None:
    """POST: metadata, which replace what was there or are merged into it, and policy."""
    await caller.learn(target)
    caller.require_writer(target)
    given = metadata.user_metadata(headers, "container") | read_policy(headers)
    _check_payer(caller, target, given)

    async def work(uow: UnitOfWork) -> None:
        await _change(uow, svc, target, given, replace=replace)

    await svc.db.run(work)


def _check_payer(caller: Caller, target: Target, given: dict[str, str]) -> None:
    """Whoever makes a project pay has a token for it, with the right to write there. Giving a container back to its own
    project needs none. Raises 403.
    """
    wanted = given.get(metadata.PAYER)
    if wanted == target.project_id:
        given[metadata.PAYER] = wanted = ""
    if wanted and not (caller.claims is not None and caller.claims.project_id == wanted and caller.owns(Target(wanted))):
        raise SwiftFault(403, "Another project can only be charged with a token of its own.")


async def _set_payer(uow: UnitOfWork, svc: Services, row: Any, target: Target, project_id: str) -> None:
    """All that the container holds is paid for by this project from now on; empty: by its own."""
    payer = project_id or target.project_id or ""
    await accounts.ensure(uow, payer, now_us=svc.clock.now_us())
    account = await accounts.locked(uow, payer)
    assert account is not None
    await payers.set_payer(uow, row.id, owner_id=row.account_id, payer_id=account.id)
    await counters.touch(uow, account_id=row.account_id, container_id=row.id, now_us=svc.clock.now_us())


async def _change(uow: UnitOfWork, svc: Services, target: Target, given: Mapping[str, str], *, replace: bool) -> None:
    row = await containers.locked(uow, target.project_id or "", target.container)
    if row is None:
        raise not_found()
    old = orjson.loads(row.headers)
    if given.get(VERSIONING) == "True" and (old.get("x-versions-location") or old.get("x-history-location")):
        raise bad_request("The container keeps its versions in another one.")
    if given.get(VERSIONING) == "False" and VERSIONING not in old:
        given = {name: value for name, value in given.items() if name != VERSIONING}
    removed = {name for name in old if name.startswith("x-container-meta-") and name != QUOTA} - set(given) if replace else set()
    if metadata.PAYER in given:
        await _set_payer(uow, svc, row, target, given[metadata.PAYER])
    merged = metadata.merge(old, given, removed, "container")
    await containers.set_headers(uow, row.id, orjson.dumps(merged).decode(), now_us=svc.clock.now_us())


async def show(svc: Services, caller: Caller, target: Target, query: Query | None, wanted: Wanted) -> View:
    """A container, and with a query a page of its objects. Others see what is shared with them. Raises 403, 404."""
    async with svc.db.read() as uow:
        row = await containers.totals(uow, target.project_id or "", target.container)
    is_whole = True
    try:
        await caller.require(READ, target, row.headers if row is not None else None)
    except SwiftFault:
        is_whole = False
        if row is None or caller.claims is None:
            raise
    if row is None:
        raise not_found()
    if wanted.public and not caller.reads(target):
        raise SwiftFault(403)
    if wanted.until_us is not None and not is_whole:
        raise SwiftFault(403)
    who = None if is_whole or caller.claims is None else await sharing.identities(svc, caller.claims)
    async with svc.db.read() as uow:
        regions, entries_shared = await _visible(uow, row.id, wanted, who)
        if not is_whole and not regions:
            raise SwiftFault(403)
        links = await grants.links_of(uow, row.id) if caller.owns(target) and query is not None else {}
        if wanted.public:
            exact = {sharing.Region(name, None, True) for name in links}
            regions = sorted(exact | set(regions or ()), key=lambda region: region.start.encode())
        filters = listings.Filters(wanted.meta, regions, wanted.until_us)
        entries = await listings.fetch(uow, row.id, query, filters) if query is not None else ()
        totals, until_us = row, None
        if wanted.until_us is not None:
            totals = await history.totals(uow, row.id, wanted.until_us)
            until_us = max(int(totals.changed_us or 0), row.created_us)
    return View(
        is_whole,
        row.modified_us,
        int(totals.objects),
        int(totals.bytes),
        until_us=until_us,
        pool=row.policy,
        headers=orjson.loads(row.headers),
        entries=entries,
        shared=entries_shared,
        who=who,
        links=links,
    )


async def _visible(
    uow: UnitOfWork, container_id: int, wanted: Wanted, who: list[str] | None
) -> tuple[list[sharing.Region] | None, dict[str, sharing.Entry]]:
    """The regions that these see, None for all; and what sharing says of each shared object. `who` None sees everything."""
    entries = sharing.read_entries(await grants.of_container(uow, container_id))
    if who is None:
        return (sharing.regions(entries, None) if wanted.shared else [] if wanted.public else None), entries
    return sharing.regions(entries, who), entries


async def may_write(svc: Services, caller: Caller, target: Target) -> Any:
    """The container, for one who may write in it or to something in it. Raises 401, 403, 404."""
    async with svc.db.read() as uow:
        row = await containers.totals(uow, target.project_id or "", target.container)
    try:
        await caller.require(WRITE, target, row.headers if row is not None else None)
    except SwiftFault:
        if row is None or caller.claims is None:
            raise
        who = await sharing.identities(svc, caller.claims)
        async with svc.db.read() as uow:
            entries = sharing.read_entries(await grants.of_container(uow, row.id))
        if not any(entry.mode_for(who) >= grants.WRITE for entry in entries.values()):
            raise
    if row is None:
        raise not_found()
    return row


async def delete(svc: Services, caller: Caller, target: Target) -> None:
    """A container without objects, with all its history. Raises 404, and 409 if it holds objects."""
    await caller.learn(target)
    caller.require_writer(target)
    async with svc.db.read() as uow:
        row = await containers.totals(uow, target.project_id or "", target.container)
    if row is None:
        raise not_found()
    if row.objects:
        raise SwiftFault(409)
    await purge_container(svc, caller, target, svc.clock.now_us())
    await swift.delete(svc, caller, target)


async def show_account(svc: Services, caller: Caller, target: Target, query: Query | None, wanted: Wanted) -> View:
    """An account, and with a query its containers. Others see those in which something is shared with them."""
    if caller.claims is None or target.project_id is None:
        raise caller.refuse()
    await caller.learn(target)
    is_whole = caller.reads(target)
    who = None if is_whole else await sharing.identities(svc, caller.claims)
    quota = await quotas.limit(svc, target.project_id) if is_whole else -1
    async with svc.db.read() as uow:
        row = await accounts.totals(uow, target.project_id)
        if row is None:
            if not is_whole:
                raise SwiftFault(403)
            return View(True, svc.clock.now_us(), quota=quota)
        if not is_whole and (wanted.until_us is not None or wanted.public):
            raise SwiftFault(403)
        among = None
        if wanted.shared or wanted.public or not is_whole:
            among = await grants.containers_with(uow, row.id, grantees=who, is_shared=wanted.shared or not is_whole, is_public=wanted.public)
            if not is_whole and not among:
                raise SwiftFault(403)
        after, limit = (query.marker, query.limit) if query is not None else ("", 10_000)
        entries: Sequence[Any] = ()
        held = (int(row.containers), int(row.objects), int(row.bytes))
        until_us = None
        if wanted.until_us is not None:
            then = await history.containers_at(uow, row.id, wanted.until_us, after="", limit=10_000)
            held = (len(then), sum(c.objects for c in then), sum(int(c.bytes) for c in then))
            until_us = max([row.created_us, *(int(c.changed_us) for c in then if c.changed_us)])
            entries = [c for c in then if c.name > after][:limit]
        elif query is not None:
            entries = await containers.rows_of(uow, row.id, after=after, limit=limit, among=among)
        groups = await grants.groups_of(uow, row.id) if is_whole else {}
    return View(
        is_whole,
        row.created_us,
        held[1],
        held[2],
        held[0],
        until_us=until_us,
        headers=orjson.loads(row.headers),
        groups=groups,
        quota=quota,
        entries=entries,
    )


async def update_account(
    svc: Services, caller: Caller, target: Target, headers: Mapping[str, str], groups: Mapping[str, list[str]], *, replace: bool
) -> None:
    """POST: metadata and groups, each of which replace all of their kind or are merged. Raises 400, 403."""
    await caller.learn(target)
    caller.require_owner(target)
    assert target.project_id is not None
    given = metadata.user_metadata(headers, "account")
    project_id = target.project_id

    async def work(uow: UnitOfWork) -> None:
        await accounts.ensure(uow, project_id, now_us=svc.clock.now_us())
        row = await accounts.locked(uow, project_id)
        assert row is not None
        old = orjson.loads(row.headers)
        gone = {name for name in old if name.startswith("x-account-meta-") and name not in metadata.ACCOUNT_QUOTAS} - set(given) if replace else set()
        await accounts.set_headers(uow, row.id, orjson.dumps(metadata.merge(old, given, gone, "account")).decode())
        if groups:
            await grants.set_groups(uow, row.id, groups, replace_all=replace)
            if len(await grants.groups_of(uow, row.id)) > MAX_GROUPS:
                raise bad_request(f"An account has at most {MAX_GROUPS} groups")

    await svc.db.run(work)


async def shared_with(svc: Services, caller: Caller, *, marker: str, limit: int) -> Sequence[Any]:
    """The accounts that share something with this caller."""
    if caller.claims is None:
        raise caller.refuse()
    who = await sharing.identities(svc, caller.claims)
    async with svc.db.read() as uow:
        return await grants.accounts_shared_with(uow, who, but=caller.claims.project_id or "", marker=marker, limit=limit)
