"""A dispatcher dies at each point of a submission and comes back: the job is done, once, and told."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_common import crashpoint
from synnefo_common.testing.waiting import wait_until
from synnefo_dispatcher.app.run import CRASH_POINTS

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each


def _arm(point: str) -> list[str]:
    """Die at the point; the list then is not empty. Later points die too: the process is dead."""
    fired: list[str] = []

    def hook(passed: str) -> None:
        if fired or passed == point:
            fired.append(passed)
            raise crashpoint.CrashInjected(passed)

    crashpoint.install(hook)
    return fired


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.parametrize("verb", ["create", "delete", "reboot", "add_disk"])
async def test_job_has_one_effect_when_the_dispatcher_dies(
    cloud: Any, new_id: Any, params: Any, point: str, verb: str
) -> None:
    alpha = cloud.clusters["alpha"]
    if verb == "create":
        server_id = new_id()
        given = params(server_id)
    else:
        server_id = await cloud.server()
        given = {"disk": {"name": f"snf-vol-{new_id()}", "size_mib": 64, "provider": "archipelago"}, "type": "hard"}
    fired = _arm(point)
    token = await cloud.ask(f"instance.{verb}", server_id, given)
    await wait_until(lambda: fired, what=f"the crash at {point}")
    await cloud.restart()
    state, data = await cloud.ended(token)
    assert state == "succeeded", data
    effective = [job for job in await alpha.jobs(token) if job["status"] == "success"]
    assert len(effective) == 1
    assert data["ganeti_job_id"] == effective[0]["id"]
    instance = await alpha.instance(server_id)
    assert (instance is None) == (verb == "delete")
    if verb == "add_disk":
        assert instance["disk.names"].count(given["disk"]["name"]) == 1
    assert len(cloud.endings(token)) == 1


async def test_crash_between_the_message_and_the_row_is_a_redelivery(cloud: Any, new_id: Any, params: Any) -> None:
    server_id = new_id()
    token = await cloud.ask("instance.create", server_id, params(server_id))
    again = await cloud.ask("instance.create", server_id, params(server_id), token=token)
    assert again == token
    await cloud.ended(token)
    assert len(await cloud.clusters["alpha"].jobs(token)) == 1


async def test_repeated_token_of_an_ended_job_is_answered_again_and_not_done_again(cloud: Any) -> None:
    server_id = await cloud.server()
    token = await cloud.ask("instance.reboot", server_id, {"type": "hard"})
    _, first = await cloud.ended(token)
    await cloud.ask("instance.reboot", server_id, {"type": "hard"}, token=token)
    _, second = await cloud.ended(token, times=2)
    assert first == second
    assert len(await cloud.clusters["alpha"].jobs(token)) == 1


async def test_failure_that_is_told_again_has_its_reason(cloud: Any, new_id: Any) -> None:
    server_id = new_id()
    token = await cloud.ask("instance.startup", server_id)
    _, first = await cloud.ended(token)
    await cloud.ask("instance.startup", server_id, token=token)
    _, second = await cloud.ended(token, times=2)
    assert first["error"] == second["error"] != None  # noqa: E711
    assert first["order"] == second["order"]
