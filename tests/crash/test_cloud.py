"""Kill the whole cloud at every crash point that a server's creation and deletion pass, start it again, and look.

Promised: the server ends ACTIVE or ERROR with a readable reason, once; nothing is leaked; the audit finds nothing.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.fleet import Fleet

from synnefo_common import crashpoint
from synnefo_common.crashpoint import CrashInjected
from synnefo_common.testing import wait_until


class Grim:
    """Dies at the first passage of a point; from then on the process is dead: every later point dies too."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.fired = asyncio.Event()
        crashpoint.install(self)

    def __call__(self, passed: str) -> None:
        if self.fired.is_set() or passed == self.point:
            self.fired.set()
            raise CrashInjected(passed)


async def _image(fleet: Fleet) -> str:
    return await fleet.demo.make_image("tiny", b"\x55\xaa" * 4096)


async def _network(fleet: Fleet) -> str:
    network = (await fleet.demo.json("network", "POST", "/v2.0/networks", {"network": {"name": "net"}}))["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}
    await fleet.demo.json("network", "POST", "/v2.0/subnets", {"subnet": subnet})
    return str(network)


async def _boot(fleet: Fleet, image: str, network: str) -> str:
    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": image, "networks": [{"uuid": network}]}}
    return str((await fleet.demo.json("compute", "POST", "/v2.1/servers", body))["server"]["id"])


async def _status(fleet: Fleet, server_id: str) -> str:
    answer = await fleet.demo.call("compute", "GET", f"/v2.1/servers/{server_id}")
    return "GONE" if answer.status_code == 404 else str(answer.json()["server"]["status"])


async def _in_status(fleet: Fleet, server_id: str, *wanted: str) -> str:
    async def reached() -> str | None:
        status = await _status(fleet, server_id)
        return status if status in wanted else None

    return str(await wait_until(reached, 40.0, what=f"server in {wanted}"))


async def _restart(fleet: Fleet) -> None:
    await fleet.crash()
    await fleet.start()
    await fleet.log_in()


async def _crash_at(fleet: Fleet, point: str, image: str, network: str, *, while_deleting: bool) -> None:
    server_id: str | None = None
    if while_deleting:
        server_id = await _boot(fleet, image, network)
        assert await _in_status(fleet, server_id, "ACTIVE", "ERROR") == "ACTIVE"
    grim = Grim(point)
    try:
        if while_deleting:
            await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
        else:
            server_id = await _boot(fleet, image, network)
        await wait_until(grim.fired.is_set, 20, what=f"the passage of {point}")
    except (CrashInjected, AssertionError):
        assert grim.fired.is_set(), f"{point} was not passed"
    await _restart(fleet)
    listed = await fleet.demo.json("compute", "GET", "/v2.1/servers")
    ids = {s["id"] for s in listed["servers"]}
    assert len(ids) <= 1, f"{point}: {len(ids)} servers from one request"
    for found in ids:
        if while_deleting:
            await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{found}")
        status = await _in_status(fleet, found, "GONE" if while_deleting else "ACTIVE", "ERROR", "GONE")
        if not while_deleting:
            assert status == "ACTIVE", f"{point}: {await fleet.demo.json('compute', 'GET', f'/v2.1/servers/{found}')}"
            await fleet.assert_invariants()
            await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{found}")
        await _in_status(fleet, found, "GONE")
    await fleet.assert_invariants()
    assert fleet.instances() == [], f"{point}: instances are left"


async def points_of(fleet: Fleet, phase: str) -> list[str]:
    """The crash points that the phase ("create" or "delete") passes when nothing goes wrong."""
    return await _points(fleet, phase, await _image(fleet), await _network(fleet))


async def _points(fleet: Fleet, phase: str, image: str, network: str) -> list[str]:
    server_id = ""
    await fleet.assert_told()
    if phase == "delete":
        server_id = await _boot(fleet, image, network)
        await _in_status(fleet, server_id, "ACTIVE")
        await fleet.assert_invariants()
        await fleet.assert_told()
    seen = crashpoint.observe()
    if phase == "create":
        server_id = await _boot(fleet, image, network)
        await _in_status(fleet, server_id, "ACTIVE")
        await fleet.assert_invariants()
        points = sorted(seen)
        crashpoint.disarm()
        await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
        await _in_status(fleet, server_id, "GONE")
    else:
        await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
        await _in_status(fleet, server_id, "GONE")
        await fleet.assert_invariants()
        points = sorted(seen)
    crashpoint.disarm()
    await fleet.assert_invariants()
    return points


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("phase", "at_least"), [("create", 25), ("delete", 20)])
async def test_a_kill_at_every_point_of_a_servers_life_loses_and_leaks_nothing(phase: str, at_least: int) -> None:
    async with Fleet() as fleet:
        image, network = await _image(fleet), await _network(fleet)
        before = await fleet.usage(fleet.demo.project_id)
        points = await _points(fleet, phase, image, network)
        assert len(points) >= at_least, points
        failures = []
        for point in points:
            try:
                await asyncio.wait_for(_crash_at(fleet, point, image, network, while_deleting=phase == "delete"), 90)
            except (AssertionError, TimeoutError) as error:
                failures.append(f"{phase} at {point}: {error!r}"[:600])
                if len(failures) > 3:
                    break
                await _restart(fleet)
                for server in (await fleet.demo.json("compute", "GET", "/v2.1/servers"))["servers"]:
                    await fleet.demo.call("compute", "DELETE", f"/v2.1/servers/{server['id']}")
        print(f"{len(points)} crash points while a server is to {phase}")
        assert not failures, "\n".join(failures)
        assert await fleet.usage(fleet.demo.project_id) == before
