"""Bad input: a 4xx in Nova's dialect that says what is wrong, and nothing is made."""

from __future__ import annotations

from typing import Any

import pytest

IMAGE = "c0ffee00-c0ff-4eec-8ffe-c0ffeec0ffee"
OTHER = "deadbeef-dead-4eef-8ead-deadbeefdead"
NETWORK = "a0000000-0000-4000-8000-000000000001"
LOCAL = {"source_type": "image", "uuid": IMAGE, "destination_type": "local", "boot_index": 0}
BLANK = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": 1}

BAD_SERVERS = [
    {"name": ""}, {"name": "a" * 256}, {"name": 12345}, {"name": " s"}, {"name": "a\x00b"}, {"name": None}, {"name": "\ud800"},
    {"flavorRef": -1}, {"flavorRef": ""}, {"flavorRef": None}, {"flavorRef": True}, {"flavorRef": "\x00"}, {"flavorRef": {"id": 1}},
    {"flavorRef": "no-such"}, {"flavorRef": "\udfff"},
    {"imageRef": "-1"}, {"imageRef": ""}, {"imageRef": 5}, {"imageRef": "http://x/images/nope"},
    {"accessIPv4": "1.1.1.1.1.1"}, {"accessIPv6": "notvalid"}, {"accessIPv4": "::1"}, {"accessIPv6": "fe80::1%eth0"},
    {"metadata": {"a": "b" * 256}}, {"metadata": {"a" * 256: "b"}}, {"metadata": {"": "b"}}, {"metadata": {"a/b": "c"}}, {"metadata": []},
    {"metadata": {"a": 1}}, {"metadata": {"a": "\x00"}}, {"metadata": {"a": "\ud800"}},
    {"key_name": "no-such"}, {"key_name": "\x00"}, {"key_name": "\ud800"}, {"user_data": "%%%"}, {"user_data": "A" * 65536},
    {"networks": [{"uuid": "a-b-c-d-e-f-g-h-i-j"}]}, {"networks": [{}]}, {"networks": "auto"}, {"networks": [{"uuid": NETWORK, "tag": "x"}]},
    {"networks": [{"uuid": NETWORK, "fixed_ip": "10.0.0.999"}]}, {"networks": [{"port": OTHER}, {"port": OTHER}]},
    {"security_groups": [{"name": "a\x00"}]}, {"security_groups": [{}]}, {"security_groups": "default"},
    {"availability_zone": "mars"}, {"availability_zone": ""}, {"config_drive": "maybe"}, {"OS-DCF:diskConfig": "auto"},
    {"min_count": 0}, {"min_count": "x"}, {"min_count": 2, "max_count": 1}, {"max_count": 10**30}, {"min_count": 1.5}, {"min_count": True},
    {"personality": [{"path": "/x", "contents": "%%%"}]},
    {"personality": [{"path": "/x", "contents": "eA=="}], "config_drive": False}, {"personality": [{"path": "/x"}]},
    {"description": "d"}, {"tags": []}, {"nonsense": 1}, {"adminPass": 5},
    {"block_device_mapping_v2": [LOCAL, BLANK | {"destination_type": "invalid"}]},
    {"block_device_mapping_v2": [LOCAL, LOCAL]}, {"block_device_mapping_v2": [LOCAL | {"uuid": OTHER}]},
    {"block_device_mapping_v2": [LOCAL, BLANK | {"volume_size": None}]}, {"block_device_mapping_v2": [LOCAL, BLANK | {"volume_size": 2**31}]},
    {"block_device_mapping_v2": [LOCAL, BLANK | {"boot_index": "x"}]}, {"block_device_mapping_v2": [{"source_type": "volume"}]},
    {"block_device_mapping_v2": [LOCAL, BLANK | {"tag": "x"}]}, {"block_device_mapping_v2": [LOCAL, BLANK | {"device_name": "\x00"}]},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_SERVERS, ids=lambda c: str(c)[:60].encode("ascii", "replace").decode())
async def test_a_bad_server_is_refused_and_costs_nothing(h: Any, change: dict[str, Any]) -> None:
    import json

    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE} | change}
    text = json.dumps(body)  # as a client would that escapes what is not ASCII
    answer = await h.as_member().post("/v2.1/servers", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["badRequest"]["code"] == 400
    assert answer.json()["badRequest"]["message"]
    assert not h.quota.pending
    assert not +h.quota.used
    assert (await h.as_member().get("/v2.1/servers")).json() == {"servers": []}


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", "5", "{", '{"server": null}', '{"server": []}', '{"server": {}}', '{"server": {}, "x": 1}'])
@pytest.mark.parametrize("path", ["/v2.1/servers", "/v2.1/flavors", "/v2.1/os-keypairs"])
async def test_a_body_of_another_shape_is_refused(h: Any, path: str, body: str) -> None:
    answer = await h.as_admin().post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert "badRequest" in answer.json()


async def test_what_nova_tolerates_is_tolerated(h: Any) -> None:
    body = {
        "server": {
            "name": "s", "flavorRef": "http://compute/v2.1/flavors/1", "imageRef": IMAGE, "personality": [], "min_count": "1", "max_count": 1,
            "networks": [{"uuid": NETWORK, "port": None, "fixed_ip": None}], "config_drive": "True", "adminPass": "secret", "user_data": "eA==",
            "block_device_mapping_v2": [LOCAL | {"delete_on_termination": "true"}], "key_name": None, "security_groups": [{"name": "default"}],
        },
        "os:scheduler_hints": {"same_host": OTHER, "made_up": [1]},
    }  # fmt: skip
    answer = await h.as_member().post("/v2.1/servers", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["server"]["adminPass"] == "secret"
    body["os:scheduler_hints"] = {"group": OTHER}
    assert (await h.as_member().post("/v2.1/servers", json=body)).status_code == 400


async def test_more_than_the_quota_is_refused_and_less_than_the_least_too(h: Any) -> None:
    h.quota.limits["compute.instances"] = 3
    body = {"name": "s", "flavorRef": "1", "imageRef": IMAGE}
    answer = await h.as_member().post("/v2.1/servers", json={"server": body | {"min_count": 4}})
    assert answer.status_code == 403
    assert "compute.instances" in answer.json()["forbidden"]["message"]
    await h.settle()
    assert not h.quota.pending
    answer = await h.as_member().post("/v2.1/servers", json={"server": body | {"min_count": 2, "max_count": 9}})
    assert answer.status_code == 202
    names = [s["name"] for s in (await h.as_member().get("/v2.1/servers?sort_key=name&sort_dir=asc")).json()["servers"]]
    assert names == ["s-1", "s-2", "s-3"]


@pytest.mark.parametrize(
    "action",
    [{}, {"os-start": None, "os-stop": None}, {"made-up": None}, {"pause": None}, {"rebuild": {"imageRef": IMAGE}}, {"reboot": {}},
     {"reboot": {"type": "gently"}}, {"reboot": None}, {"resize": {"flavorRef": ""}}, {"resize": {"flavorRef": OTHER}},
     {"resize": {"flavorRef": "1"}}, {"resize": None}, {"resize": {"flavorRef": "\x00"}}, {"createImage": {}}, {"createImage": {"name": ""}},
     {"createImage": {"name": "a" * 256}}, {"createImage": {"name": "i", "metadata": {"": "b"}}}, {"createImage": None},
     {"os-getConsoleOutput": {"length": -2}}, {"os-getConsoleOutput": {"length": "x"}}, {"os-getConsoleOutput": {"lines": 1}}, {"\ud800": 1}],
    ids=lambda a: str(a)[:50].encode("ascii", "replace").decode(),
)  # fmt: skip
async def test_a_bad_action_is_refused(h: Any, action: dict[str, Any]) -> None:
    import json

    server_id = await h.server()
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/action", content=json.dumps(action))
    assert answer.status_code == 400, answer.text
    assert answer.json()["badRequest"]["message"]
    assert (await h.show(server_id))["OS-EXT-STS:task_state"] is None


async def test_actions_in_the_wrong_state_conflict(h: Any) -> None:
    server_id = await h.server()
    for action in ({"os-start": None}, {"confirmResize": None}, {"revertResize": None}):
        answer = [await h.act(server_id, action)]
        assert answer == [409], action
    await h.act(server_id, {"os-stop": None})
    assert await h.act(server_id, {"os-stop": None}) == 409
    await h.ganeti_does()
    assert await h.act(server_id, {"reboot": {"type": "SOFT"}}) == 409
    building = await h.server(built=False)
    answer = await h.as_member().post(f"/v2.1/servers/{building}/action", json={"os-stop": None})
    assert answer.status_code == 409
    assert building in answer.json()["conflictingRequest"]["message"]


async def test_a_console_log_that_is_not_there_is_a_conflict_with_the_reason(h: Any) -> None:
    server_id = await h.server()
    error = {"code": 409, "kind": "Conflict", "fault": "dispatcher.console", "message": "hypervisor fake has no serial console", "details": {}}
    h.peers["dispatcher"].on("GET", "/internal/v1/instances/{id}/console-log", (409, {"error": error}))
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/action", json={"os-getConsoleOutput": {"length": "10"}})
    assert answer.status_code == 409
    assert "no serial console" in answer.json()["conflictingRequest"]["message"]
    h.peers["dispatcher"].on("GET", "/internal/v1/instances/{id}/console-log", {"output": "boot\n"})
    answer = await h.as_member().post(f"/v2.1/servers/{server_id}/action", json={"os-getConsoleOutput": {"length": -1}})
    assert answer.json() == {"output": "boot\n"}
    assert "length" not in h.peers["dispatcher"].requests[-1].query


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"ram": 0}, {"ram": -1}, {"ram": 2**31}, {"ram": "a"}, {"ram": None}, {"vcpus": 0}, {"disk": -1}, {"swap": -1},
     {"rxtx_factor": 0}, {"rxtx_factor": -1}, {"rxtx_factor": 1e39}, {"id": " 1"}, {"id": "a/b"}, {"id": ""}, {"id": "é"}, {"name": "\x00"},
     {"os-flavor-access:is_public": "perhaps"}, {"OS-FLV-EXT-DATA:ephemeral": -1}, {"description": "d"}, {"ram": 1.5}, {"ram": True}],
    ids=str,
)  # fmt: skip
async def test_a_bad_flavor_is_refused(h: Any, change: dict[str, Any]) -> None:
    body = {"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 0} | change}
    answer = await h.as_admin().post("/v2.1/flavors", json=body)
    assert answer.status_code == 400, answer.text


async def test_a_flavor_of_a_taken_name_or_id_conflicts(h: Any) -> None:
    for change in ({"id": "1", "name": "other"}, {"id": "7", "name": "m1.nano"}):
        answer = await h.as_admin().post("/v2.1/flavors", json={"flavor": {"ram": 1, "vcpus": 1, "disk": 0} | change})
        assert answer.status_code == 409
        assert "conflictingRequest" in answer.json()


@pytest.mark.parametrize(
    "keypair",
    [{"name": ""}, {"name": "k" * 256}, {"name": r"key_/.\@:"}, {"name": "k", "public_key": "ssh-rsa JUNK nova@ubuntu"}, {"name": " k"},
     {"name": "k", "public_key": " "}, {"name": "k", "public_key": "ssh-rsa " + "A" * 2048 + " x"}, {"name": "k", "type": "ssh"}, {"name": 1},
     {"name": "k", "public_key": "\x00"}, {"public_key": "x"}, {"name": "ĸ"}, {"name": "k\n"}],
    ids=lambda k: str(k)[:50].encode("ascii", "replace").decode(),
)  # fmt: skip
async def test_a_bad_keypair_is_refused(h: Any, keypair: dict[str, Any]) -> None:
    answer = await h.as_member().post("/v2.1/os-keypairs", json={"keypair": keypair})
    assert answer.status_code == 400, answer.text
    assert not h.quota.pending


async def test_keypairs_conflict_and_vanish_as_novas_do(h: Any) -> None:
    for status in (200, 409):
        assert (await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "k"}})).status_code == status
    assert (await h.as_project().get("/v2.1/os-keypairs/k")).status_code == 404
    assert (await h.as_project().delete("/v2.1/os-keypairs/k")).status_code == 404
    assert (await h.as_member().delete("/v2.1/os-keypairs/k")).status_code == 202
    assert (await h.as_member().delete("/v2.1/os-keypairs/k")).status_code == 404
    h.quota.limits["compute.key_pairs"] = 0
    assert (await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "k"}})).status_code == 403


@pytest.mark.parametrize("quota", [{"cores": -2}, {"cores": 2**31}, {"cores": "x"}, {"made_up": 1}, {"networks": 1}, {"cores": True}], ids=str)
async def test_a_bad_quota_is_refused(h: Any, quota: dict[str, Any]) -> None:
    answer = await h.as_admin().put("/v2.1/os-quota-sets/p", json={"quota_set": quota})
    assert answer.status_code == 400, answer.text


async def test_quotas_are_set_forced_and_reset(h: Any) -> None:
    await h.server()
    admin, url = h.as_admin(), f"/v2.1/os-quota-sets/{h.project_id}"
    assert (await admin.put(url, json={"quota_set": {"instances": 0}})).status_code == 400
    answer = await admin.put(url, json={"quota_set": {"instances": 0, "force": "True", "cores": "7"}})
    assert (answer.status_code, answer.json()["quota_set"]["instances"], answer.json()["quota_set"]["cores"]) == (200, 0, 7)
    assert "id" not in answer.json()["quota_set"]
    assert (await admin.put(f"{url}?user_id=u", json={"quota_set": {"cores": 1}})).status_code == 400
    detail = (await h.as_member().get(f"{url}/detail")).json()["quota_set"]
    assert detail["instances"] == {"limit": 0, "in_use": 1, "reserved": 0}
    assert (await admin.delete(url)).status_code == 202
    assert (await h.as_member().get(url)).json()["quota_set"]["instances"] == -1


async def test_attachments_that_cannot_be_are_refused(h: Any) -> None:
    server_id, volume_id = await h.server(), h.ids.uuid()
    volumes, ports = f"/v2.1/servers/{server_id}/os-volume_attachments", f"/v2.1/servers/{server_id}/os-interface"
    member = h.as_member()
    for body in ({"volumeId": "x"}, {}, {"volumeId": volume_id, "device": "sda"}, {"volumeId": volume_id, "tag": "t"}):
        assert (await member.post(volumes, json={"volumeAttachment": body})).status_code == 400, body
    assert (await member.post(volumes, json={"volumeAttachment": {"volumeId": volume_id}})).status_code == 200
    assert (await member.post(volumes, json={"volumeAttachment": {"volumeId": volume_id}})).status_code == 400
    assert (await member.delete(f"{volumes}/{OTHER}")).status_code == 404
    for body in ({"net_id": "x"}, {"net_id": NETWORK, "port_id": OTHER}, {"fixed_ips": [{"ip_address": "10.0.0.9"}]}, {"made_up": 1},
                 {"net_id": NETWORK, "fixed_ips": [{"ip_address": "x"}]}, {"net_id": NETWORK, "fixed_ips": []}):  # fmt: skip
        assert (await member.post(ports, json={"interfaceAttachment": body})).status_code == 400, body
    assert (await member.delete(f"{ports}/{OTHER}")).status_code == 404
    h.peers["network"].on("POST", "/internal/v1/servers/{id}/ports", {"ports": []})
    assert (await member.post(ports, json={})).status_code == 400
    error = {"code": 404, "kind": "VolumeNotFound", "fault": "volume.not_found", "message": "Volume could not be found.", "details": {}}
    h.peers["volume"].on("POST", "/internal/v1/servers/{id}/volumes/{volume}", (404, {"error": error}))
    assert (await member.post(volumes, json={"volumeAttachment": {"volumeId": OTHER}})).status_code == 404
    await h.ganeti_does_all()
    await h.settle()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"OpenStack-API-Version": "compute 2.1"}, 200), ({"OpenStack-API-Version": "compute latest"}, 200),
     ({"OpenStack-API-Version": "compute 2.96"}, 406), ({"X-OpenStack-Nova-API-Version": "2.2"}, 406),
     ({"X-OpenStack-Nova-API-Version": "two"}, 400), ({"OpenStack-API-Version": "volume 3.0"}, 200)],
    ids=str,
)  # fmt: skip
async def test_microversions_are_negotiated(h: Any, headers: dict[str, str], status: int) -> None:
    answer = await h.as_member().get("/v2.1/servers", headers=headers)
    assert answer.status_code == status
    assert answer.headers["OpenStack-API-Version"] == "compute 2.1"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.1"
    assert "OpenStack-API-Version" in answer.headers["Vary"]


async def test_an_unknown_path_and_a_wrong_method_are_in_novas_words(h: Any) -> None:
    answer = await h.as_member().get("/v2.1/os-made-up")
    assert (answer.status_code, set(answer.json())) == (404, {"itemNotFound"})
    answer = await h.as_member().patch("/v2.1/servers")
    assert (answer.status_code, set(answer.json())) == (405, {"badMethod"})


@pytest.mark.parametrize(("status", "kind"), [(404, "NotFound"), (409, "Conflict"), (400, "BadRequest")])
async def test_a_server_of_a_volume_that_cannot_be_used_is_refused_at_once(h: Any, status: int, kind: str) -> None:
    error = {"code": status, "kind": kind, "fault": "volume.x", "message": "it is not bootable", "details": {}}
    h.peers["volume"].on("POST", "/internal/v1/servers/check", (status, {"error": error}))
    device = {"source_type": "volume", "destination_type": "volume", "uuid": OTHER, "boot_index": "0"}
    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": "", "block_device_mapping_v2": [device]}}
    answer = await h.as_member().post("/v2.1/servers", json=body)
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Block Device Mapping is Invalid: it is not bootable"
    assert not +h.quota.used
