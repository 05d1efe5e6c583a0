"""A config drive brings what its server was made with, and is nobody's volume."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pycdlib
import pytest
from services.compute.tests.cloud import IMAGE, ComputeHarness, running_compute

from synnefo_compute.db import guests

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"
FILES = [{"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}]


def read(image: bytes, path: str) -> bytes:
    """A file of the drive, by its long name."""
    iso, found = pycdlib.PyCdlib(), io.BytesIO()
    iso.open_fp(io.BytesIO(image))
    assert iso.pvd.volume_identifier.strip() == b"config-2"
    iso.get_file_from_iso_fp(found, joliet_path=f"/{path}")
    iso.close()
    return found.getvalue()


def content_of(h: ComputeHarness, server_id: str) -> bytes:
    drive = next(v for v in h.world.volumes[server_id] if v["name"] == "config-drive")
    return h.world.contents[drive["id"]]


async def _told(h: ComputeHarness, server_id: str) -> Any:
    async with h.db.read() as uow:
        return await guests.get_guest(uow, server_id)


async def test_a_config_drive_has_all_that_the_server_was_made_with(h: ComputeHarness) -> None:
    assert (await h.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "laptop", "public_key": KEY}})).status_code == 200
    server_id = await h.server(
        config_drive=True, key_name="laptop", user_data=base64.b64encode(b"#!/bin/sh").decode(), personality=FILES, adminPass="s3cret",
        metadata={"role": "db"},
    )  # fmt: skip
    image = content_of(h, server_id)
    document = json.loads(read(image, "openstack/latest/meta_data.json"))
    assert (document["uuid"], document["public_keys"], document["meta"]) == (server_id, {"laptop": KEY}, {"role": "db"})
    assert (document["admin_pass"], document["project_id"]) == ("s3cret", h.project_id)
    assert read(image, document["files"][0]["content_path"].replace("/content", "openstack/content")) == b"hello"
    assert read(image, "openstack/latest/user_data") == b"#!/bin/sh"
    assert read(image, "openstack/2018-08-27/user_data") == b"#!/bin/sh"
    networks = json.loads(read(image, "openstack/latest/network_data.json"))
    assert networks["links"][0]["vif_id"] == h.world.ports[server_id][0]["id"]
    assert networks["networks"][0]["type"] == "ipv4_dhcp"
    shown = await h.show(server_id)
    assert shown["config_drive"] == "True"
    assert shown["os-extended-volumes:volumes_attached"] == []
    assert not {resource for resource in +h.quota.used if resource.startswith("volume.")}


async def test_ganeti_and_its_job_queue_get_no_secret(h: ComputeHarness) -> None:
    server_id = await h.server(config_drive=True, adminPass="s3cret", user_data="c2VjcmV0LXVzZXItZGF0YQ==", personality=FILES)
    said = json.dumps([e.data for e in h.events])
    for secret in ("s3cret", "c2VjcmV0LXVzZXItZGF0YQ", FILES[0]["contents"]):
        assert secret not in said
    drive = next(v for v in h.world.volumes[server_id] if v["name"] == "config-drive")
    assert f"snf-vol-{drive['id']}" in said  # it is a disk as any other
    told = await _told(h, server_id)
    assert (told.admin_pass, told.files) == (None, [])  # nor are they kept here


async def test_a_failed_build_keeps_no_secret_and_a_deleted_server_nothing(h: ComputeHarness) -> None:
    server_id = await h.server(config_drive=True, adminPass="s3cret", built=False)
    await h.settle()
    assert (await _told(h, server_id)).admin_pass == "s3cret"
    await h.ganeti_does(fail="no")
    assert (await _told(h, server_id)).admin_pass is None
    assert (await h.as_member().delete(f"/v2.1/servers/{server_id}")).status_code == 204
    await h.ganeti_does_all()
    assert await _told(h, server_id) is None


async def test_who_asks_for_none_gets_none(h: ComputeHarness) -> None:
    server_id = await h.server(adminPass="s3cret")
    assert not h.world.contents
    assert (await h.show(server_id))["config_drive"] == ""
    assert await _told(h, server_id) is None


async def test_files_need_a_drive_and_bring_one(h: ComputeHarness) -> None:
    server_id = await h.server(personality=FILES)
    assert (await h.show(server_id))["config_drive"] == "True"
    assert read(content_of(h, server_id), "openstack/content/0000") == b"hello"


@pytest.mark.parametrize(
    "files", [FILES * 6, [FILES[0] | {"path": "/" + "x" * 255}], [FILES[0] | {"contents": base64.b64encode(b"x" * 10241).decode()}]]
)
async def test_files_beyond_the_quotas_are_refused(h: ComputeHarness, files: list[dict[str, str]]) -> None:
    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": IMAGE, "personality": files}}
    answer = await h.as_member().post("/v2.1/servers", json=body)
    assert answer.status_code == 403, answer.text


async def test_the_operator_can_force_a_drive() -> None:
    async with running_compute(overrides={"force_config_drive": True}) as h:
        assert (await h.show(await h.server()))["config_drive"] == "True"
        answer = await h.as_member().get("/v2.1/servers/detail")
        assert [s["config_drive"] for s in answer.json()["servers"]] == ["True"]


async def test_the_image_can_demand_a_drive(h: ComputeHarness) -> None:
    image = {"id": IMAGE, "status": "active", "size": 1 << 20, "virtual_size": None, "min_disk": 0, "min_ram": 0}
    h.peers["image"].on("GET", "/internal/v1/images/{id}", image | {"properties": {"img_config_drive": "mandatory"}})
    assert (await h.show(await h.server()))["config_drive"] == "True"


async def test_the_key_is_the_one_of_the_creation(h: ComputeHarness) -> None:
    member = h.as_member()
    await member.post("/v2.1/os-keypairs", json={"keypair": {"name": "laptop", "public_key": KEY}})
    server_id = await h.server(key_name="laptop", built=False)
    assert (await member.delete("/v2.1/os-keypairs/laptop")).status_code == 202
    assert (await _told(h, server_id)).public_key == KEY
