"""POST /servers/{id}/action: the body's one key names the action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.responses import Response

from synnefo_common.errors import BadRequest
from synnefo_common.web import Context, Ctx, answer, empty, parse
from synnefo_compute.api.base import Svc, project_filter
from synnefo_compute.api.schemas import servers as schemas
from synnefo_compute.app import attachments, server_actions, server_list, server_locks
from synnefo_compute.app.core import Compute

router = APIRouter(prefix="/v2.1/servers", tags=["server actions"])
Handler = Callable[[Compute, Context, str, Any], Awaitable[Response]]


def _who(ctx: Context) -> dict[str, Any]:
    return {"project_id": project_filter(ctx), "user_id": ctx.user_id, "request_id": ctx.request_id}


async def _start(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:servers:start")
    await server_actions.power(svc, server_id, "start", **_who(ctx))
    return empty(202)


async def _stop(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:servers:stop")
    await server_actions.power(svc, server_id, "stop", **_who(ctx))
    return empty(202)


async def _reboot(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    ctx.require("os_compute_api:servers:reboot")
    kind = parse(schemas.Reboot, data).type.lower()
    await server_actions.power(svc, server_id, f"reboot_{kind}", **_who(ctx))
    return empty(202)


async def _resize(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    ctx.require("os_compute_api:servers:resize")
    wanted = parse(schemas.Resize, data)
    await server_actions.resize(svc, server_id, wanted.flavorRef, disk_config=wanted.disk_config, is_admin=ctx.is_admin, **_who(ctx))
    return empty(202)


async def _confirm_resize(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:servers:confirm_resize")
    await server_actions.confirm_resize(svc, server_id, **_who(ctx))
    return empty(204)


async def _revert_resize(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:servers:revert_resize")
    await server_actions.revert_resize(svc, server_id, **_who(ctx))
    return empty(202)


async def _create_image(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    ctx.require("os_compute_api:servers:create_image")
    wanted = parse(schemas.CreateImage, data)
    image_id = await server_actions.create_image(svc, server_id, name=wanted.name, metadata=wanted.metadata, **_who(ctx))
    return empty(202, {"Location": f"{svc.settings.common.public_urls['image']}/v2/images/{image_id}"})


async def _console_output(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    ctx.require("os_compute_api:os-console-output")
    length = parse(schemas.ConsoleOutput, data or {}).length
    output = await server_actions.console_output(
        svc, server_id, project_id=project_filter(ctx), length=None if length == -1 else length
    )
    return answer({"output": output})


async def _reset_state(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    ctx.require("os_compute_api:os-admin-actions:reset_state")
    await server_actions.reset_state(
        svc, server_id, state=parse(schemas.ResetState, data).state, user_id=ctx.user_id, request_id=ctx.request_id
    )
    return empty(202)


async def _lock(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:os-lock-server:lock")
    await server_locks.lock(svc, server_id, is_locked=True, caller_project=ctx.project_id, **_who(ctx))
    return empty(202)


async def _unlock(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:os-lock-server:unlock")
    if await server_locks.is_locked_by_other(svc, server_id, project_id=project_filter(ctx), caller_project=ctx.project_id):
        ctx.require("os_compute_api:os-lock-server:unlock:unlock_override")
    await server_locks.lock(svc, server_id, is_locked=False, caller_project=ctx.project_id, **_who(ctx))
    return empty(202)


async def _add_security_group(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    return await _change_security_groups(svc, ctx, server_id, data, adds=True)


async def _remove_security_group(svc: Compute, ctx: Context, server_id: str, data: Any) -> Response:
    return await _change_security_groups(svc, ctx, server_id, data, adds=False)


async def _change_security_groups(svc: Compute, ctx: Context, server_id: str, data: Any, *, adds: bool) -> Response:
    ctx.require(f"os_compute_api:os-security-groups:{'add' if adds else 'remove'}")
    group = parse(schemas.SecurityGroupRef, data).name
    await attachments.change_security_groups(svc, server_id, group, adds=adds, project_id=project_filter(ctx))
    return empty(202)


async def _force_delete(svc: Compute, ctx: Context, server_id: str, _data: Any) -> Response:
    ctx.require("os_compute_api:os-deferred-delete:force")
    await server_actions.delete(svc, server_id, **_who(ctx))
    return empty(202)


ACTIONS: dict[str, Handler] = {
    "os-start": _start, "os-stop": _stop, "reboot": _reboot, "resize": _resize, "confirmResize": _confirm_resize,
    "revertResize": _revert_resize, "createImage": _create_image, "os-getConsoleOutput": _console_output, "os-resetState": _reset_state,
    "forceDelete": _force_delete, "lock": _lock, "unlock": _unlock, "addSecurityGroup": _add_security_group,
    "removeSecurityGroup": _remove_security_group,
}  # fmt: skip
# Nova's other actions at 2.1: known, not offered. They look for the server first, as Nova does.
NOT_OFFERED = frozenset({
    "addFixedIp", "addFloatingIp", "changePassword", "createBackup", "evacuate", "injectNetworkInfo", "migrate",
    "os-getRDPConsole", "os-getSPICEConsole", "os-getSerialConsole", "os-getVNCConsole", "os-migrateLive", "pause", "rebuild",
    "removeFixedIp", "removeFloatingIp", "rescue", "resetNetwork", "shelve", "shelveOffload",
    "suspend",
})  # fmt: skip
# What leads out of a state that no server of this cloud is ever in.
NEVER_DUE = frozenset({"restore", "resume", "unpause", "unrescue", "unshelve"})


@router.post("/{server_id}/action")
async def server_action(server_id: str, ctx: Ctx, svc: Svc, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Do one thing to a server."""
    if len(body) != 1:
        raise BadRequest("The body must hold exactly one action.")
    name, data = next(iter(body.items()))
    handler = ACTIONS.get(name)
    if handler is None:
        if name in NOT_OFFERED:
            ctx.require("os_compute_api:servers:show")
            await server_list.show_addresses(svc, server_id, project_id=project_filter(ctx))
            raise BadRequest(f"This cloud does not offer the action {name}.")
        if name in NEVER_DUE:
            ctx.require("os_compute_api:servers:show")
            await server_actions.refuse_by_state(svc, server_id, name, project_id=project_filter(ctx))
        raise BadRequest(f"There is no such action: {name[:60]}")
    return await handler(svc, ctx, server_id, data)
