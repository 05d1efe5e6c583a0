"""Routes for the compute service: the ports of its servers. See docs/design/groundwork.md, section 11."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Path, Request
from starlette.responses import Response

from synnefo_common.db import UnitOfWork
from synnefo_common.idempotency import StoredAnswer, answer_once, keep_answer, request_hash
from synnefo_common.web import Service, answer, internal_router
from synnefo_network.api.base import PathId, Svc
from synnefo_network.api.schemas.servers import ServerGroupBody, ServerPortsBody
from synnefo_network.app import server_security_groups, servers
from synnefo_network.app.services import Services

router = internal_router()
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]
ServerId = Annotated[PathId, Path(max_length=64)]


def _asked(body: ServerPortsBody, *, is_new: bool) -> servers.ServerPorts:
    networks = body.networks
    return servers.ServerPorts(
        project_id=body.project_id,
        user_id=body.user_id,
        networks=networks if isinstance(networks, str) else [n.model_dump(exclude_none=True) for n in networks],
        security_groups=body.security_groups,
        availability_zone=body.availability_zone or "nova",
        host=body.host or "",
        reserved=body.reserved,
        is_new=is_new,
    )


async def _add(
    request: Request, server_id: str, body: ServerPortsBody, svc: Services, key: str | None, *, status: int, is_new: bool
) -> Response:
    asked = _asked(body, is_new=is_new)
    digest = request_hash(request.method, request.url.path, body.model_dump())

    async def once(commission: Any) -> Response:
        async def work(uow: UnitOfWork) -> StoredAnswer:
            document = {"ports": await servers.add_ports(uow, svc, server_id, asked, commission=commission, is_told=not is_new)}
            await keep_answer(uow, key, digest, status=status, body=document)
            return StoredAnswer(status, document, is_repeat=False)

        found = await answer_once(svc.db, key, digest, lambda: svc.write(work))
        return answer(found.body, status)

    if asked.reserved:
        return await once(None)
    provisions = await servers.count_new(svc, asked)
    async with svc.quota.reserved(project_id=asked.project_id, user_id=asked.user_id, provisions=provisions, key=key) as commission:
        return await once(commission)


@router.put("/servers/{server_id}/ports")
async def put_server_ports(request: Request, server_id: ServerId, body: ServerPortsBody, _ctx: Service, svc: Svc, key: Key = None) -> Response:
    """Make and bind all ports of a new server, at once or not at all. The answer is all the news: there are no events."""
    return await _add(request, server_id, body, svc, key, status=200, is_new=True)


@router.post("/servers/{server_id}/ports", status_code=201)
async def post_server_ports(request: Request, server_id: ServerId, body: ServerPortsBody, _ctx: Service, svc: Svc, key: Key = None) -> Response:
    """Attach one interface."""
    return await _add(request, server_id, body, svc, key, status=201, is_new=False)


@router.get("/servers/{server_id}/ports")
async def list_server_ports(server_id: ServerId, _ctx: Service, svc: Svc) -> Response:
    """The server's ports."""
    return answer({"ports": await servers.list_ports(svc, server_id)})


@router.get("/servers/{server_id}/subnets")
async def list_server_subnets(server_id: ServerId, _ctx: Service, svc: Svc) -> Response:
    """The subnets in which the server has addresses."""
    return answer({"subnets": await servers.list_subnets(svc, server_id)})


@router.delete("/servers/{server_id}/ports")
async def delete_server_ports(server_id: ServerId, ctx: Service, svc: Svc, release: bool = True) -> Response:
    """Delete or unbind all.

    `release=false`: the commission that counted the ports is rejected, so give no quota back.
    """
    return await _remove(server_id, None, svc, user_id=ctx.user_id, releases=release)


@router.delete("/servers/{server_id}/ports/{port_id}")
async def delete_server_port(server_id: ServerId, port_id: PathId, ctx: Service, svc: Svc, release: bool = True) -> Response:
    """Delete or unbind one."""
    return await _remove(server_id, port_id, svc, user_id=ctx.user_id, releases=release)


async def _remove(server_id: str, port_id: str | None, svc: Services, *, user_id: str, releases: bool) -> Response:
    gone = await svc.write(lambda uow: servers.remove(uow, svc, server_id, port_id=port_id, user_id=user_id, releases=releases))
    return answer(gone)


@router.put("/servers/{server_id}/security-groups")
async def change_server_groups(server_id: ServerId, body: ServerGroupBody, _ctx: Service, svc: Svc) -> Response:
    """Put all ports of a server into a group, or take them out."""
    ports = await svc.write(
        lambda uow: server_security_groups.change_groups(
            uow, svc, server_id, body.security_group, project_id=body.project_id, adds=body.is_member
        )
    )
    return answer({"ports": ports})


@router.post("/servers/check")
async def check_server_ports(body: ServerPortsBody, _ctx: Service, svc: Svc) -> Response:
    """What a server's networks would need; the fault of a bad reference."""
    return answer({"new_ports": await servers.check(svc, _asked(body, is_new=True))})
