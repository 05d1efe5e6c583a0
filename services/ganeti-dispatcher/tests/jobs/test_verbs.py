"""Each verb on its happy path: what compute asks is what Ganeti then has."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo_common.db.recorder import record_queries

pytestmark = pytest.mark.slow  # a fake Ganeti in a process of its own for each


async def test_create_makes_the_instance_with_our_names_and_tells_its_node(cloud: Any, new_id: Any, params: Any) -> None:
    server_id = new_id()
    wanted = params(server_id)
    data = await cloud.done("instance.create", server_id, wanted)
    instance = await cloud.clusters["alpha"].instance(server_id)
    assert instance["status"] == "running"
    assert instance["nic.names"] == [wanted["nics"][0]["name"]]
    assert instance["nic.macs"] == [wanted["nics"][0]["mac"]]
    assert instance["nic.ips"] == ["10.0.0.5"]
    assert instance["disk.names"] == [wanted["disks"][0]["name"]]
    assert instance["disk.sizes"] == [1024]
    assert instance["tags"] == [f"synnefo:server:{server_id}"]
    assert data["node"] == instance["pnode"]
    assert data["error"] is None
    assert data["order"] == [data["ganeti_job_id"], 0, 3]
    assert data["cluster"] == "alpha"


async def test_create_without_disks_is_diskless_and_without_start_is_down(cloud: Any, new_id: Any, params: Any) -> None:
    server_id = new_id()
    await cloud.done("instance.create", server_id, params(server_id, disks=0, nics=0, start=False))
    instance = await cloud.clusters["alpha"].instance(server_id)
    assert (instance["disk_template"], instance["status"]) == ("diskless", "ADMIN_down")


async def test_power_verbs(cloud: Any) -> None:
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    await cloud.done("instance.shutdown", server_id)
    assert (await alpha.instance(server_id))["status"] == "ADMIN_down"
    await cloud.done("instance.shutdown", server_id)  # already down
    await cloud.done("instance.startup", server_id)
    assert (await alpha.instance(server_id))["status"] == "running"
    await cloud.done("instance.startup", server_id)  # already up
    for kind in ("soft", "hard"):
        await cloud.done("instance.reboot", server_id, {"type": kind})
    assert (await alpha.instance(server_id))["status"] == "running"


async def test_modify_beparams(cloud: Any) -> None:
    server_id = await cloud.server()
    await cloud.done("instance.shutdown", server_id)
    await cloud.done("instance.modify_beparams", server_id, {"vcpus": 2, "ram_mib": 256})
    instance = await cloud.clusters["alpha"].instance(server_id)
    assert (instance["beparams"]["vcpus"], instance["beparams"]["maxmem"], instance["beparams"]["minmem"]) == (2, 256, 256)


async def test_nics_come_and_go_on_a_running_server(cloud: Any, new_id: Any) -> None:
    alpha, server_id = cloud.clusters["alpha"], await cloud.server(nics=0)
    nic = {"name": f"snf-nic-{new_id()}", "mac": "fa:16:3e:00:00:09", "mode": "bridged", "link": "br0", "ip": None}
    await cloud.done("instance.add_nic", server_id, {"nic": nic})
    assert (await alpha.instance(server_id))["nic.macs"] == ["fa:16:3e:00:00:09"]
    await cloud.done("instance.add_nic", server_id, {"nic": nic})  # again: it is there
    await cloud.done("instance.remove_nic", server_id, {"name": nic["name"]})
    assert (await alpha.instance(server_id))["nic.names"] == []
    await cloud.done("instance.remove_nic", server_id, {"name": nic["name"]})  # again: it is gone


async def test_disks_come_grow_and_go_on_a_running_server(cloud: Any, new_id: Any) -> None:
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    name = f"snf-vol-{new_id()}"
    disk = {"name": name, "size_mib": 1024, "provider": "archipelago"}
    await cloud.done("instance.add_disk", server_id, {"disk": disk})
    await cloud.done("instance.add_disk", server_id, {"disk": disk})
    assert (await alpha.instance(server_id))["disk.names"][1:] == [name]
    await cloud.done("instance.grow_disk", server_id, {"name": name, "size_mib": 2048})
    await cloud.done("instance.grow_disk", server_id, {"name": name, "size_mib": 2048})
    assert (await alpha.instance(server_id))["disk.sizes"] == [1024, 2048]
    await cloud.done("instance.remove_disk", server_id, {"name": name})
    assert (await alpha.instance(server_id))["disk.sizes"] == [1024]
    await cloud.done("instance.remove_disk", server_id, {"name": name})


async def test_disk_is_removed_from_a_stopped_server(cloud: Any, new_id: Any) -> None:
    server_id, name = await cloud.server(), f"snf-vol-{new_id()}"
    await cloud.done("instance.shutdown", server_id)
    disk = {"name": name, "size_mib": 64, "provider": "archipelago"}
    await cloud.done("instance.add_disk", server_id, {"disk": disk})
    await cloud.done("instance.remove_disk", server_id, {"name": name})
    assert len((await cloud.clusters["alpha"].instance(server_id))["disk.names"]) == 1


async def test_delete_removes_and_what_is_gone_is_deleted(cloud: Any) -> None:
    server_id = await cloud.server()
    await cloud.done("instance.delete", server_id)
    assert await cloud.clusters["alpha"].instance(server_id) is None
    await cloud.done("instance.delete", server_id)


async def test_removals_from_an_instance_that_is_gone_succeed_and_others_fail(cloud: Any, new_id: Any) -> None:
    await cloud.done("instance.remove_nic", new_id(), {"name": "snf-nic-1"})
    await cloud.done("instance.remove_disk", new_id(), {"name": "snf-vol-1"})
    state, data = await cloud.ended(await cloud.ask("instance.startup", new_id()))
    assert state == "failed"
    assert data["error"]["code"] == "unknown_entity"


async def test_what_ganeti_refuses_fails_with_its_reason(cloud: Any, new_id: Any, params: Any) -> None:
    server_id = new_id()
    wanted = params(server_id) | {"os": "nothing+default"}
    state, data = await cloud.ended(await cloud.ask("instance.create", server_id, wanted))
    assert state == "failed"
    assert "Directory for OS nothing not found" in data["error"]["message"]
    assert data["ganeti_job_id"] > 0


async def test_bad_parameters_and_unknown_verbs_fail_without_a_job(cloud: Any, new_id: Any) -> None:
    for verb, given in (("instance.create", {}), ("instance.fly", {}), ("instance.add_nic", {"nic": 3})):
        state, data = await cloud.ended(await cloud.ask(verb, new_id(), given))
        assert (state, data["ganeti_job_id"], data["error"]["code"]) == ("failed", None, "wrong_input")


async def test_several_nodes_are_left_to_the_allocator(make_cloud: Any) -> None:
    cloud = await make_cloud("alpha", nodes=3)
    server_id = await cloud.server()
    assert (await cloud.clusters["alpha"].instance(server_id))["pnode"].startswith("node")


async def test_the_hypervisor_of_the_settings_is_asked_for(make_cloud: Any, new_id: Any, params: Any) -> None:
    cloud = await make_cloud("alpha", hypervisor={"alpha": "kvm"})
    server_id = new_id()
    state, data = await cloud.ended(await cloud.ask("instance.create", server_id, params(server_id)))
    assert state == "failed"
    assert "kvm" in data["error"]["message"]


async def test_a_boot_costs_one_message_and_few_statements(cloud: Any, new_id: Any, params: Any) -> None:
    await cloud.server()
    server_id = new_id()
    with record_queries(cloud.h.db) as recorded:
        token = await cloud.ask("instance.create", server_id, params(server_id))
        await cloud.ended(token)
    ours = [e.type for e in cloud.h.events if e.data.get("server_id") == server_id]
    assert ours == ["ganeti.job.requested", "ganeti.job.succeeded"]
    assert recorded.count <= 25, [str(s) for s in recorded.statements]


async def _reinstalls(cloud: Any, server_id: str) -> list[list[str]]:
    listed = await cloud.clusters["alpha"].call("GET", "/2/jobs?bulk=1")
    steps = [[op["OP_ID"].removeprefix("OP_INSTANCE_") for op in job["ops"] if op.get("instance_name") == f"snf-{server_id}"] for job in listed]
    return [found for found in steps if "REINSTALL" in found]


async def test_reinstall_stops_installs_and_starts(cloud: Any) -> None:
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    await cloud.done("instance.reinstall", server_id, {"os": "synnefo-image+default", "start": False})
    assert await _reinstalls(cloud, server_id) == [["SHUTDOWN", "REINSTALL"]]
    assert (await alpha.instance(server_id))["status"] == "ADMIN_down"
    await cloud.done("instance.reinstall", server_id)
    assert (await alpha.instance(server_id))["status"] == "running"


@pytest.mark.parametrize("fault", ["lost_answer", "reset_in_body", "reset"])
async def test_reinstall_whose_answer_was_lost_is_done_once_though_it_carries_no_token(cloud: Any, fault: str) -> None:
    server_id = await cloud.server()
    await cloud.clusters["alpha"].act("shift_clock", seconds=-7200)  # no clock is asked
    for _ in range(2):  # the first is not taken for the second
        await cloud.clusters["alpha"].hurt({"fault": fault, "path": "/reinstall$"})
        await cloud.done("instance.reinstall", server_id)
    assert len(await _reinstalls(cloud, server_id)) == 2


@pytest.mark.parametrize("verb", ["instance.migrate", "instance.failover"])
async def test_server_moves_to_the_node_that_is_named(make_cloud: Any, verb: str) -> None:
    cloud = await make_cloud("alpha", nodes=2)
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    source = (await alpha.instance(server_id))["pnode"]
    target = next(node["name"] for node in await alpha.call("GET", "/2/nodes?bulk=1") if node["name"] != source)
    await cloud.done(verb, server_id, {"node": target})
    assert ((await alpha.instance(server_id))["pnode"], (await alpha.instance(server_id))["status"]) == (target, "running")


async def test_tags_come_and_go(cloud: Any) -> None:
    alpha, server_id = cloud.clusters["alpha"], await cloud.server()
    await cloud.done("instance.add_tags", server_id, {"tags": ["synnefo:user:a", "synnefo:user:b"]})
    assert {"synnefo:user:a", "synnefo:user:b"} <= set((await alpha.instance(server_id))["tags"])
    await cloud.done("instance.remove_tags", server_id, {"tags": ["synnefo:user:a"]})
    await cloud.done("instance.remove_tags", server_id, {"tags": ["synnefo:user:a"]})  # again: it is gone
    assert "synnefo:user:a" not in (await alpha.instance(server_id))["tags"]


async def test_nic_gets_another_address(cloud: Any, params: Any, new_id: Any) -> None:
    server_id = new_id()
    wanted = params(server_id)
    await cloud.done("instance.create", server_id, wanted)
    change = {"name": wanted["nics"][0]["name"], "nic": {"mac": "fa:16:3e:00:00:77", "ip": "10.0.0.77"}}
    await cloud.done("instance.modify_nic", server_id, change)
    instance = await cloud.clusters["alpha"].instance(server_id)
    assert (instance["nic.macs"], instance["nic.ips"], instance["nic.names"]) == (["fa:16:3e:00:00:77"], ["10.0.0.77"], [change["name"]])


async def test_rescue_boots_from_the_image_and_back(cloud: Any) -> None:
    """The fake hypervisor has no such parameters and says so: what is asked of Ganeti is all that shows here."""
    server_id = await cloud.server()
    for verb, params, hvparams in (
        ("instance.rescue", {"image": "/srv/rescue.iso"}, {"boot_order": "cdrom", "cdrom_image_path": "/srv/rescue.iso"}),
        ("instance.unrescue", {}, {"boot_order": "disk", "cdrom_image_path": ""}),
    ):
        token = await cloud.ask(verb, server_id, params)
        assert (await cloud.ended(token))[0] == "failed"
        assert (await cloud.clusters["alpha"].jobs(token))[0]["ops"][0]["hvparams"] == hvparams


@pytest.mark.parametrize(("verb", "key"), [("instance.add_nic", "nic"), ("instance.add_disk", "disk")])
async def test_success_without_hotplug_is_a_failure(cloud: Any, new_id: Any, verb: str, key: str) -> None:
    server_id = await cloud.server()
    device: dict[str, Any] = {"name": f"snf-{new_id()}"}
    device |= {"mac": "fa:16:3e:00:00:09", "mode": "bridged", "link": "br0"} if key == "nic" else {"size_mib": 64, "provider": "archipelago"}
    await cloud.clusters["alpha"].hurt({"fault": "fail_hotplug", "op": "SET_PARAMS"})
    state, data = await cloud.ended(await cloud.ask(verb, server_id, {key: device}))
    assert (state, data["error"]["code"]) == ("failed", "hotplug_failed")
    await cloud.done(verb.replace("add", "remove"), server_id, {"name": device["name"]})
