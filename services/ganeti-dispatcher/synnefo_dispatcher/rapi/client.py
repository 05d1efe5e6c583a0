"""The only client of Ganeti's remote API: typed calls, errors told apart, our token in each modifying call.

A modifying call gives the number of a Ganeti job, which may still fail. Nothing is repeated here: whoever calls knows
whether that is safe. Not for: following jobs to their end and remembering them.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import orjson

from synnefo_dispatcher.rapi.errors import (
    JobNotFound,
    NotFound,
    RapiRefused,
    RapiTimeout,
    RapiUnauthorized,
    RapiUnreachable,
    RapiUntrusted,
)
from synnefo_dispatcher.rapi.jobs import Job, JobChange, parse_change, parse_job
from synnefo_dispatcher.rapi.resources import (
    Group,
    Instance,
    InstanceSpec,
    Node,
    parse_group,
    parse_instance,
    parse_node,
)
from synnefo_dispatcher.rapi.transport import RapiResponse, Transport, TransportFailed

WAIT_FIELDS = ["status", "opstatus", "opresult"]
#: RAPI itself ends a long poll after ten seconds
WAIT_TIMEOUT_S = 20.0
_NO_JOB = 2**31 - 1

Changes = Sequence[Sequence[Any]]
NodeRole = Literal["regular", "master-candidate", "drained", "offline"]
Params = Mapping[str, str | list[str]]


class RapiClient:
    """One cluster. All calls raise `RapiError`."""

    def __init__(self, transport: Transport, *, timeout_s: float = 30.0) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    async def close(self) -> None:
        await self._transport.close()

    # the cluster
    async def version(self) -> int:
        return int(await self._get("/version"))

    async def info(self) -> dict[str, Any]:
        return dict(await self._get("/2/info"))

    async def features(self) -> list[str]:
        return list(await self._get("/2/features"))

    async def check_write_access(self) -> None:
        """Raises RapiUnauthorized where the user may only read: waiting for a job is what such a one may not do."""
        with contextlib.suppress(JobNotFound):
            await self.wait_job(_NO_JOB)

    async def nodes(self) -> list[Node]:
        return [parse_node(item) for item in await self._get("/2/nodes", {"bulk": "1"})]

    async def groups(self) -> list[Group]:
        return [parse_group(item) for item in await self._get("/2/groups", {"bulk": "1"})]

    async def node_role(self, node: str) -> str:
        return str(await self._get(f"/2/nodes/{_part(node)}/role"))

    async def set_node_role(self, node: str, role: NodeRole, *, reason: str, is_forced: bool = False) -> int:
        params = {"force": "1"} if is_forced else {}
        return await self._submit("PUT", f"/2/nodes/{_part(node)}/role", role, reason=reason, params=params)

    # instances
    async def instances(self) -> list[Instance]:
        return [parse_instance(item) for item in await self._get("/2/instances", {"bulk": "1"})]

    async def instance(self, name: str) -> Instance:
        """Raises `NotFound`."""
        return parse_instance(await self._get(f"/2/instances/{_part(name)}"))

    async def create_instance(self, spec: InstanceSpec, *, reason: str, is_dry_run: bool = False) -> int:
        params = {"dry-run": "1"} if is_dry_run else {}
        return await self._submit("POST", "/2/instances", spec.body(), reason=reason, params=params)

    async def startup(self, name: str, *, reason: str) -> int:
        return await self._submit("PUT", f"/2/instances/{_part(name)}/startup", reason=reason)

    async def shutdown(self, name: str, *, reason: str, timeout_s: int = 0) -> int:
        """`timeout_s` is how long the guest may take; 0 pulls the plug."""
        return await self._submit("PUT", f"/2/instances/{_part(name)}/shutdown", {"timeout": timeout_s}, reason=reason)

    async def reboot(
        self, name: str, *, reason: str, kind: Literal["soft", "hard", "full"] = "hard", shutdown_timeout_s: int = 0
    ) -> int:
        body = {"shutdown_timeout": shutdown_timeout_s}
        return await self._submit(
            "POST", f"/2/instances/{_part(name)}/reboot", body, reason=reason, params={"type": kind}
        )

    async def reinstall(self, name: str, *, os: str | None = None, is_started: bool = True) -> int:
        """One job: stop, install, start. The only call whose job never carries a reason: RAPI leaves it out."""
        body: dict[str, Any] = {"start": is_started} if os is None else {"start": is_started, "os": os}
        return await self._submit("POST", f"/2/instances/{_part(name)}/reinstall", body, reason=None)

    async def delete_instance(self, name: str, *, reason: str, shutdown_timeout_s: int = 0) -> int:
        body = {"shutdown_timeout": shutdown_timeout_s}
        return await self._submit("DELETE", f"/2/instances/{_part(name)}", body, reason=reason)

    async def modify_instance(
        self,
        name: str,
        *,
        reason: str,
        nics: Changes = (),
        disks: Changes = (),
        beparams: Mapping[str, Any] | None = None,
        hvparams: Mapping[str, Any] | None = None,
        osparams: Mapping[str, Any] | None = None,
        is_offline: bool | None = None,
        hotplug: Literal["no", "must", "if_possible"] = "no",
    ) -> int:
        """`nics` and `disks`: `("add", -1, {...})`, `("remove", name or index, {})`, `("modify", name, {...})`, and for
        disks `("detach", name, {})`, `("attach", -1, {"uuid": ...})`."""
        body: dict[str, Any] = {}
        if nics:
            body["nics"] = [list(change) for change in nics]
        if disks:
            body["disks"] = [list(change) for change in disks]
        given = {"beparams": beparams, "hvparams": hvparams, "osparams": osparams}
        body |= {key: dict(value) for key, value in given.items() if value}
        if is_offline is not None:
            body["offline"] = is_offline
        if hotplug != "no":
            body["hotplug" if hotplug == "must" else "hotplug_if_possible"] = True
        return await self._submit("PUT", f"/2/instances/{_part(name)}/modify", body, reason=reason)

    async def grow_disk(self, name: str, disk: int, *, size_mib: int, reason: str) -> int:
        """To a size, not by an amount: safe to repeat. A smaller one fails in the job with `wrong_state`."""
        body = {"amount": size_mib, "absolute": True, "wait_for_sync": False}
        return await self._submit("POST", f"/2/instances/{_part(name)}/disk/{disk}/grow", body, reason=reason)

    async def migrate(self, name: str, *, reason: str, target: str | None = None, is_live: bool = True) -> int:
        body: dict[str, Any] = {"mode": "live" if is_live else "non-live"}
        if target is not None:
            body["target_node"] = target
        return await self._submit("PUT", f"/2/instances/{_part(name)}/migrate", body, reason=reason)

    async def failover(self, name: str, *, reason: str, target: str | None = None, shutdown_timeout_s: int = 0) -> int:
        body: dict[str, Any] = {"shutdown_timeout": shutdown_timeout_s}
        if target is not None:
            body["target_node"] = target
        return await self._submit("PUT", f"/2/instances/{_part(name)}/failover", body, reason=reason)

    async def console(self, name: str) -> dict[str, Any]:
        """How to reach the console. `RapiRefused` 503 if the instance does not run, 500 if there is none."""
        return dict(await self._get(f"/2/instances/{_part(name)}/console"))

    # tags
    async def instance_tags(self, name: str) -> list[str]:
        return list(await self._get(f"/2/instances/{_part(name)}/tags"))

    async def add_instance_tags(self, name: str, tags: Sequence[str], *, reason: str) -> int:
        path = f"/2/instances/{_part(name)}/tags"
        return await self._submit("PUT", path, reason=reason, params={"tag": list(tags)})

    async def delete_instance_tags(self, name: str, tags: Sequence[str], *, reason: str) -> int:
        path = f"/2/instances/{_part(name)}/tags"
        return await self._submit("DELETE", path, reason=reason, params={"tag": list(tags)})

    # jobs
    async def job(self, job_id: int) -> Job:
        """Raises `JobNotFound`: RAPI answers an unknown number with nulls."""
        data = await self._get(f"/2/jobs/{job_id}")
        if data is None or data.get("status") is None:
            raise JobNotFound(job_id)
        return parse_job(data)

    async def jobs(self) -> list[Job]:
        """All that are not archived, without results and logs. Grows with the queue."""
        return [parse_job(item) for item in await self._get("/2/jobs", {"bulk": "1"}) if item["status"] is not None]

    async def wait_job(self, job_id: int, previous: JobChange | None = None) -> JobChange | None:
        """The next change after `previous`, at once if there is one; None after about ten seconds without.

        Holds one of the cluster's few connections. Raises `JobNotFound`.
        """
        body = {
            "fields": WAIT_FIELDS,
            "previous_job_info": None if previous is None else previous.info(),
            "previous_log_serial": None if previous is None else previous.log_serial,
        }
        try:
            data = await self._call(
                "GET", f"/2/jobs/{job_id}/wait", json=body, timeout_s=max(self._timeout_s, WAIT_TIMEOUT_S)
            )
        except NotFound as error:
            raise JobNotFound(job_id) from error
        except RapiRefused as error:
            if error.code == 500 and "job file" in error.message:
                raise JobNotFound(job_id) from error
            raise
        if data is None:
            return None
        change = parse_change(data, previous)
        return None if change == previous else change

    async def cancel_job(self, job_id: int) -> tuple[bool, str]:
        """Whether it could be canceled, and what Ganeti says. Only a job that waits can."""
        done, text = await self._call("DELETE", f"/2/jobs/{job_id}")
        return bool(done), str(text)

    # one call
    async def _get(self, path: str, params: Params | None = None) -> Any:
        return await self._call("GET", path, params=params)

    async def _submit(
        self, method: str, path: str, json: Any = None, *, reason: str | None, params: Params | None = None
    ) -> int:
        trail = {} if reason is None else {"reason": reason}
        answer = await self._call(method, path, params={**(params or {}), **trail}, json=json)
        if isinstance(answer, bool) or not isinstance(answer, int):
            raise RapiTimeout(f"{method} {path}: answered {answer!r} where the number of a job was due")
        return answer

    async def _call(
        self, method: str, path: str, *, params: Params | None = None, json: Any = None, timeout_s: float | None = None
    ) -> Any:
        try:
            response = await self._transport.request(
                method, path, params=params, json=json, timeout_s=timeout_s or self._timeout_s
            )
        except TransportFailed as error:
            if error.may_have_arrived:
                raise RapiTimeout(str(error)) from error
            raise (RapiUntrusted if error.is_untrusted else RapiUnreachable)(str(error)) from error
        if response.status == 200:
            try:
                return orjson.loads(response.body)
            except orjson.JSONDecodeError as error:
                raise RapiTimeout(f"{method} {path}: the answer is not JSON") from error
        raise _problem(response)


def _problem(response: RapiResponse) -> Exception:
    """The error that an answer other than 200 stands for, also when a proxy gave it."""
    try:
        data = orjson.loads(response.body)
        message, explain = str(data["message"]), str(data["explain"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        message, explain = f"an answer that is not RAPI's, of {len(response.body)} bytes", ""
    message = html.unescape(message)
    if response.status in (401, 403):
        return RapiUnauthorized(response.status, message)
    if response.status == 404:
        return NotFound(404, message, explain)
    return RapiRefused(response.status, message, explain)


def _part(name: str) -> str:
    return quote(name, safe="")
