"""What an empty database needs to be a cloud: domain, projects, roles, users, catalogue, limits, a key. Idempotent.

What an operator changed is left so; projects and the users demo and alt_demo are made only with the domain.
Passwords are set when a user is made and never again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from synnefo_common.auth import SigningKey
from synnefo_common.clock import MICROS
from synnefo_common.db import UnitOfWork, upsert_ignore
from synnefo_common.log import get_logger
from synnefo_identity.app import quota as quota_app
from synnefo_identity.app.encryption import make_key
from synnefo_identity.app.services import Services
from synnefo_identity.db import catalog, projects, quota, roles, tokens, users
from synnefo_identity.db.base import ROOT
from synnefo_identity.domain.quota import DEFAULTS

log = get_logger(__name__)

DEFAULT = "default"
ROLES = ("admin", "manager", "member", "reader", "service", "ResellerAdmin")
IMPLIED = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
PROJECTS = ("admin", "service", "demo", "alt_demo")

# (type, name, settings' service, path)
CATALOGUE = (
    ("identity", "identity", "identity", "/v3"),
    ("compute", "compute", "compute", "/v2.1"),
    ("network", "network", "network", ""),
    ("image", "image", "image", ""),
    ("block-storage", "volume", "volume", "/v3/$(project_id)s"),
    ("volumev3", "volumev3", "volume", "/v3/$(project_id)s"),
    ("object-store", "object", "object", "/v1/AUTH_$(project_id)s"),
    ("s3", "s3", "object", "/s3"),
    ("ganeti-dispatcher", "dispatcher", "dispatcher", "/v1"),
)
INTERFACES = ("public", "internal", "admin")


def stable_id(*parts: str) -> str:
    """The id of a seeded thing: the same in every worker that starts at the same moment."""
    return hashlib.sha256("/".join(("synnefo", *parts)).encode()).hexdigest()[:32]


async def bootstrap(svc: Services) -> None:
    """Bring the database up to what the settings ask for."""
    people = await _people_without_hash(svc)
    hashes = {name: await svc.passwords.hash(password) for name, password in people.items()}

    async def work(uow: UnitOfWork) -> None:
        await uow.run(upsert_ignore(uow.dialect, tokens.revocation_head, {"id": 1, "seq": 0}))
        await make_key(uow, now_us=svc.clock.now_us())
        await _seed_projects(uow)
        await _seed_roles(uow)
        await _seed_users(svc, uow, hashes)
        await _seed_catalog(svc, uow)
        known = await quota.limits_of(uow, None)
        await quota_app.register(svc, uow, {resource: n for resource, n in DEFAULTS.items() if resource not in known})
        svc.changed(uow)

    await svc.db.run(work)
    await rotate_key(svc)


async def _people_without_hash(svc: Services) -> dict[str, str]:
    """User name → password of the settings, for users that do not exist."""
    given = svc.settings.bootstrap
    wanted = {"admin": given.admin_password, **given.service_passwords}
    if svc.settings.service_password:
        wanted.setdefault("identity", svc.settings.service_password)
    async with svc.db.read() as uow:
        if await projects.domain(uow, domain_id=DEFAULT) is None:  # else whoever deleted them wants them gone
            wanted |= {"demo": given.demo_password, "alt_demo": given.alt_demo_password}
        keys = users.users.select().where(users.users.c.domain_id == DEFAULT, users.users.c.name_key.in_([n.lower() for n in wanted]))
        there = {row.name_key for row in await uow.all(keys)}
    return {name: password for name, password in wanted.items() if password and name.lower() not in there}


async def _seed_projects(uow: UnitOfWork) -> None:
    common = {"enabled": True, "options": {}, "tags": [], "extra": {}}
    row = {
        "id": DEFAULT,
        "domain_id": ROOT,
        "parent_id": ROOT,
        "name": "Default",
        "name_key": "default",
        "is_domain": True,
        "description": "The default domain",
        **common,
    }
    if not await uow.run(upsert_ignore(uow.dialect, projects.projects, row)):
        return  # made before; what was deleted since stays so
    rows = [
        {
            "id": stable_id("project", name),
            "domain_id": DEFAULT,
            "parent_id": DEFAULT,
            "name": name,
            "name_key": name,
            "is_domain": False,
            "description": "",
            **common,
        }
        for name in PROJECTS
    ]
    await uow.run(upsert_ignore(uow.dialect, projects.projects, rows))


async def _seed_roles(uow: UnitOfWork) -> None:
    rows = [
        {
            "id": stable_id("role", name),
            "domain_id": ROOT,
            "name": name,
            "name_key": name.lower(),
            "description": None,
            "options": {"immutable": True} if name in ("admin", "manager", "member", "reader", "service") else {},
            "extra": {},
        }
        for name in ROLES
    ]
    if await uow.run(upsert_ignore(uow.dialect, roles.roles, rows)):
        pairs = [{"prior_role_id": stable_id("role", a), "implied_role_id": stable_id("role", b)} for a, b in IMPLIED]
        await uow.run(upsert_ignore(uow.dialect, roles.implied_roles, pairs))


async def _seed_users(svc: Services, uow: UnitOfWork, hashes: dict[str, str]) -> None:
    grants: list[dict[str, Any]] = []
    rows = []
    for name, hashed in hashes.items():
        user_id = stable_id("user", name)
        is_service = name not in ("admin", "demo", "alt_demo")
        project = "service" if is_service else name
        role = "admin" if name == "admin" else "service" if is_service else "member"
        rows.append(
            {
                "id": user_id,
                "domain_id": DEFAULT,
                "name": name,
                "name_key": name.lower(),
                "enabled": True,
                "password_hash": hashed,
                "default_project_id": None,
                "options": {},
                "extra": {},
                "created_at": svc.clock.now_us(),
            }
        )
        grants.append(_grant(user_id, ("project", stable_id("project", project)), role))
        if name == "admin":
            grants.append(_grant(user_id, ("system", roles.SYSTEM), role))
            grants.append(_grant(user_id, ("domain", DEFAULT), role))
    if rows:
        await uow.run(upsert_ignore(uow.dialect, users.users, rows))
        await uow.run(upsert_ignore(uow.dialect, roles.assignments, grants))
        log.info("users_made", names=sorted(hashes))


def _grant(user_id: str, target: tuple[str, str], role: str) -> dict[str, Any]:
    return {
        "actor_type": "user",
        "actor_id": user_id,
        "target_type": target[0],
        "target_id": target[1],
        "role_id": stable_id("role", role),
        "inherited": False,
    }


async def _seed_catalog(svc: Services, uow: UnitOfWork) -> None:
    """Services and endpoints; URLs of seeded endpoints follow the settings."""
    region = svc.settings.common.region
    urls = svc.settings.common.public_urls
    await uow.run(upsert_ignore(uow.dialect, catalog.regions, {"id": region, "description": "", "parent_region_id": None, "extra": {}}))
    rows = [{"id": stable_id("service", kind), "type": kind, "name": name, "enabled": True, "extra": {}} for kind, name, _, _ in CATALOGUE]
    await uow.run(upsert_ignore(uow.dialect, catalog.services, rows))
    wanted = {
        stable_id("endpoint", kind, interface, region): {
            "service_id": stable_id("service", kind),
            "interface": interface,
            "region_id": region,
            "enabled": True,
            "extra": {},
            "url": urls[service].rstrip("/") + path,
        }
        for kind, _, service, path in CATALOGUE
        for interface in INTERFACES
    }
    e = catalog.endpoints
    there = {row.id: row.url for row in await uow.all(e.select().where(e.c.id.in_(sorted(wanted))))}
    missing = [{"id": row_id, **row} for row_id, row in wanted.items() if row_id not in there]
    if missing:
        await uow.run(upsert_ignore(uow.dialect, e, missing))
    for row_id, url in there.items():
        if wanted[row_id]["url"] != url:
            await uow.run(e.update().where(e.c.id == row_id).values(url=wanted[row_id]["url"]))


async def rotate_key(svc: Services, *, now_old: bool = False) -> None:
    """Make the signing key, or a new one if it is old or called so; retired keys go when their last token is over."""
    now = svc.clock.now_us()
    oldest = now - int(svc.settings.signing_key_days * 86400 * MICROS)
    gone = now - int((svc.settings.token_ttl_s + svc.settings.expired_token_window_s) * MICROS)
    private = SigningKey.generate_private()
    kid = svc.ids.hex()
    k = tokens.signing_keys

    async def work(uow: UnitOfWork) -> None:
        # The head's row is the lock between workers that start together.
        await uow.run(tokens.revocation_head.update().where(tokens.revocation_head.c.id == 1).values(id=1))
        rows = [row for row in await tokens.keys(uow) if row.state == "active"]
        await uow.run(k.delete().where(k.c.state == "retired", k.c.retired_at < gone))
        if rows and rows[0].created_at > oldest and not now_old:
            return
        await uow.run(k.update().where(k.c.state == "active").values(state="retired", retired_at=now))
        row = {
            "kid": kid,
            "private": private,
            "public": SigningKey(kid, private).public,
            "state": "active",
            "created_at": now,
        }
        await uow.run(k.insert().values(**row))
        svc.changed(uow)

    await svc.db.run(work)
