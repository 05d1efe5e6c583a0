"""What other services ask identity: keys, revocations, the quota ledger, projects and users. Role `service` only."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from synnefo_common.clock import MICROS
from synnefo_common.errors import Conflict
from synnefo_common.web import Service, answer, empty, internal_router
from synnefo_identity.api.access import Svc
from synnefo_identity.api.schemas.credentials import SignatureBody
from synnefo_identity.api.schemas.limits import CommissionBody, LedgerLimitsBody
from synnefo_identity.app import ec2, projects, quota, users
from synnefo_identity.domain.errors import Invalid, LoginFailed, Missing

router = internal_router()
_MAX_WAIT_S = 60.0
_Prefix = Annotated[str, Query(max_length=255)]
_IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=1024)]


@router.get("/keys")
async def list_keys(svc: Svc) -> Response:
    """Public keys. Open: they are public."""
    return answer({"keys": [{"kid": kid, "x": x} for kid, x in (await svc.feed.fetch_keys()).items()]})


@router.get("/revocations")
async def list_revocations(
    ctx: Service,
    svc: Svc,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    wait: Annotated[float, Query(ge=0, le=3600)] = 0,
) -> Response:
    """The revocation log after a sequence number, waiting up to `wait` seconds for news."""
    return answer(await svc.feed.fetch_revocations(after, min(wait, _MAX_WAIT_S)))


@router.post("/commissions", status_code=201)
async def create_commission(body: CommissionBody, ctx: Service, svc: Svc, idempotency_key: _IdempotencyKey = None) -> Response:
    """Reserve quota: all of it or nothing."""
    if any(not resource.strip() for resource in body.provisions):
        raise Invalid("A resource has no name.")
    request = quota.Request(body.issuer, body.project_id, body.user_id, body.provisions, body.lease_s)
    return answer({"id": await quota.issue(svc, request, key=idempotency_key)}, 201)


@router.get("/commissions/{commission_id}")
async def show_commission(commission_id: str, ctx: Service, svc: Svc) -> Response:
    """Show a commission."""
    row = await quota.find(svc, commission_id)
    return answer(
        {
            "id": row.id,
            "issuer": row.issuer,
            "project_id": row.project_id,
            "user_id": row.user_id,
            "provisions": row.provisions,
            "state": row.state,
            "expires_at": row.expires_at / MICROS,
        }
    )


@router.get("/holdings")
async def list_holdings(
    ctx: Service,
    svc: Svc,
    project_id: Annotated[str, Query(max_length=64)],
    prefix: _Prefix = "",
    user_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Limit, use and reservations of a project, and of a user for what users hold."""
    found = await quota.balances(svc, project_id=project_id, user_id=user_id, prefix=prefix)
    return answer({"holdings": {name: {"limit": b.limit, "used": b.used, "reserved": b.pending} for name, b in found.items()}})


@router.get("/limits/defaults")
async def show_default_limits(ctx: Service, svc: Svc, prefix: _Prefix = "") -> Response:
    """The limits of projects without their own."""
    return answer({"limits": await quota.default_limits(svc, prefix=prefix)})


@router.put("/limits/defaults")
async def set_default_limits(body: LedgerLimitsBody, ctx: Service, svc: Svc) -> Response:
    """Change defaults; others stay."""
    await quota.set_default_limits(svc, body.limits)
    return answer({"limits": await quota.default_limits(svc)})


@router.put("/limits/{project_id}")
async def set_limits(project_id: str, body: LedgerLimitsBody, ctx: Service, svc: Svc) -> Response:
    """Set limits of a project; others stay. They may be below what is used."""
    if len(project_id) > 64:
        raise Missing("project", project_id)
    await quota.set_limits(svc, project_id, body.limits)
    return answer({"limits": {n: b.limit for n, b in (await quota.balances(svc, project_id=project_id, user_id=None, prefix="")).items()}})


@router.delete("/limits/{project_id}", status_code=204)
async def reset_limits(project_id: str, ctx: Service, svc: Svc, prefix: _Prefix = "") -> Response:
    """Back to the defaults."""
    await quota.reset_limits(svc, project_id, prefix=prefix)
    return empty(204)


@router.get("/projects/{project_id}")
async def show_project(project_id: str, ctx: Service, svc: Svc) -> Response:
    """Whether a project exists, and whether it is enabled."""
    row = await projects.find(svc, project_id)
    if row is None or row.is_domain:
        raise Missing("project", project_id)
    return answer({"id": row.id, "name": row.name, "domain_id": row.domain_id, "enabled": row.enabled})


@router.get("/users/{user_id}")
async def show_user(user_id: str, ctx: Service, svc: Svc) -> Response:
    """A user's name."""
    row = await users.find(svc, user_id)
    if row is None:
        raise Missing("user", user_id)
    return answer({"id": row.id, "name": row.name, "domain_id": row.domain_id, "enabled": row.enabled})


@router.get("/signing-keys")
async def show_signing_key(
    ctx: Service,
    svc: Svc,
    access: Annotated[str, Query(max_length=1024)],
    scope: Annotated[str, Query(pattern=r"^[0-9]{8}/[^/]{1,255}/[^/]{1,64}$")],
) -> Response:
    """The key that checks an access key's signatures of one day, region and service (the scope), and a token of its holder.

    Never the secret.
    """
    made = await ec2.make_signing_key(svc, access, scope)
    return answer({"key": made.key.hex(), "token": made.token})


@router.post("/signatures")
async def check_signature(body: SignatureBody, ctx: Service, svc: Svc) -> Response:
    """A token of who signed one of these texts with the access key's secret (version 2 of S3's signatures). 409 if nobody did."""
    try:
        token = await ec2.check_signature(svc, body.access, body.texts, body.signature)
    except LoginFailed:
        raise Conflict("The access key's secret did not sign this.") from None
    return answer({"token": token})
