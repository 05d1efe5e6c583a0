"""Servers that are to run apart, from the API to two clusters of one node each."""

from __future__ import annotations

import asyncio

from tests.fleet import CLUSTERS, Fleet, User

from synnefo_common.testing import wait_until

_DONE = {"ACTIVE", "ERROR"}


async def _statuses(user: User, ids: list[str]) -> dict[str, str]:
    found = (await user.json("compute", "GET", "/v2.1/servers/detail"))["servers"]
    return {server["id"]: server["status"] for server in found if server["id"] in ids}


async def test_members_run_on_nodes_of_their_own_and_the_ledger_agrees() -> None:
    async with Fleet() as fleet:
        demo = fleet.demo
        image = await demo.make_image("tiny", b"\x55\xaa" * 4096)
        made = await demo.json("compute", "POST", "/v2.1/os-server-groups", {"server_group": {"name": "apart", "policies": ["anti-affinity"]}})
        group = made["server_group"]["id"]
        body = {"server": {"name": "s", "flavorRef": "1", "imageRef": image}, "os:scheduler_hints": {"group": group}}
        answers = await asyncio.gather(*(demo.json("compute", "POST", "/v2.1/servers", body) for _ in range(len(CLUSTERS) + 1)))
        ids = [answer["server"]["id"] for answer in answers]

        async def done() -> bool:
            return set((await _statuses(demo, ids)).values()) <= _DONE

        await wait_until(done, 40, what="all built or failed")
        assert sorted((await _statuses(demo, ids)).values()) == ["ACTIVE"] * len(CLUSTERS) + ["ERROR"]
        shown = (await fleet.admin.json("compute", "GET", "/v2.1/servers/detail?all_tenants=1"))["servers"]
        places = {server["OS-EXT-SRV-ATTR:hypervisor_hostname"] for server in shown if server["status"] == "ACTIVE"}
        assert len(places) == len(fleet.instances()) == len(CLUSTERS)
        (failed,) = [server for server in shown if server["status"] == "ERROR"]
        assert "the server group has its servers there already" in failed["fault"]["message"]
        assert (await fleet.usage(failed["tenant_id"]))["compute.server_groups"] == 1
        await fleet.assert_invariants()
        for server_id in ids:
            await demo.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
        assert (await demo.call("compute", "DELETE", f"/v2.1/os-server-groups/{group}")).status_code == 204
        await fleet.assert_told()
        await fleet.assert_invariants()
        assert "compute.server_groups" not in await fleet.usage(failed["tenant_id"])
