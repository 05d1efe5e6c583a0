"""Guests read of themselves, and of nobody else."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from services.compute.tests.cloud import ComputeHarness, running_compute

from synnefo_common.http.testing import asgi_client
from synnefo_compute.api.metadata import sign

SECRET = "shared"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"


@pytest.fixture
async def m(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ComputeHarness]:
    file = tmp_path_factory.mktemp("vendor") / "vendor.json"
    file.write_text('{"cloud-init": "#cloud-config"}')
    overrides = {"metadata_secret": SECRET, "guest_domain": "example.net", "vendor_data_file": str(file)}
    async with running_compute(overrides=overrides) as harness:
        yield harness


def guest(h: ComputeHarness, server_id: str, **headers: str) -> httpx.AsyncClient:
    """The proxy of the server's node."""
    ((_host, _port, app),) = h.service.extra_apps
    known = {"X-Instance-ID": server_id, "X-Tenant-ID": h.project_id, "X-Instance-ID-Signature": sign(SECRET, server_id)}
    return asgi_client(app, headers=known | headers)


async def test_a_guest_reads_what_it_was_made_with(m: ComputeHarness) -> None:
    assert (await m.as_member().post("/v2.1/os-keypairs", json={"keypair": {"name": "laptop", "public_key": KEY}})).status_code == 200
    user_data = base64.b64encode(b"#!/bin/sh\n\xff").decode()
    server_id = await m.server(key_name="laptop", user_data=user_data, metadata={"role": "db"}, adminPass="s3cret", name="Web 1")
    async with guest(m, server_id) as web:
        answer = await web.get("/openstack/latest/meta_data.json")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        document = answer.json()
        assert (document["uuid"], document["public_keys"], document["meta"]) == (server_id, {"laptop": KEY}, {"role": "db"})
        assert (document["hostname"], document["name"], document["availability_zone"]) == ("web-1.example.net", "Web 1", "nova")
        assert "s3cret" not in answer.text
        assert (await web.get("/openstack/latest/meta_data.json")).json()["random_seed"] != document["random_seed"]
        assert (await web.get("/openstack/latest/user_data")).content == b"#!/bin/sh\n\xff"
        assert (await web.get("/openstack/2017-02-22/vendor_data2.json")).json() == {"static": {"cloud-init": "#cloud-config"}}
        network = (await web.get("/openstack/latest/network_data.json")).json()
        assert network["services"] == [{"type": "dns", "address": "10.0.0.53"}]
        assert (await web.get("/latest/meta-data/local-ipv4")).text == "10.0.0.2"
        assert (await web.get("/openstack/latest/nothing")).status_code == 404
        assert (await web.put("/openstack/latest/password")).status_code == 405


async def test_only_the_nodes_proxies_are_answered(m: ComputeHarness) -> None:
    server_id, other = await m.server(), await m.server()
    for headers, status in (
        ({"X-Instance-ID-Signature": "0" * 64}, 403),
        ({"X-Instance-ID-Signature": sign("guessed", server_id)}, 403),
        ({"X-Instance-ID-Signature": sign(SECRET, other)}, 403),  # another's name with one's own signature
        ({"X-Tenant-ID": m.other_project_id}, 404),
    ):
        async with guest(m, server_id, **headers) as web:
            assert (await web.get("/openstack/latest/meta_data.json")).status_code == status, headers
    for missing in ("X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature"):
        async with guest(m, server_id) as web:
            del web.headers[missing]
            assert (await web.get("/latest")).status_code == 400
    async with guest(m, server_id) as web:
        doubled = [(k, v) for k, v in web.headers.items() if k.startswith("x-")] + [("X-Instance-ID", other)]
        web.headers.clear()
        assert (await web.get("/latest", headers=doubled)).status_code == 400
    assert (await m.as_admin().get("/openstack/latest/meta_data.json")).status_code == 404  # not on the API's port


async def test_a_deleted_server_has_no_metadata(m: ComputeHarness) -> None:
    server_id = await m.server()
    await m.as_member().delete(f"/v2.1/servers/{server_id}")
    await m.ganeti_does_all()
    async with guest(m, server_id) as web:
        assert (await web.get("/latest")).status_code == 404


async def test_without_a_secret_there_is_no_metadata_service(h: ComputeHarness) -> None:
    assert not h.service.extra_apps


async def test_a_password_is_told_once_and_read_by_its_project(m: ComputeHarness) -> None:
    server_id = await m.server()
    url, member = f"/v2.1/servers/{server_id}/os-server-password", m.as_member()
    assert (await member.get(url)).json() == {"password": ""}
    async with guest(m, server_id) as web:
        assert (await web.post("/openstack/latest/password", content=b"x" * 1021)).status_code == 400
        assert (await web.post("/openstack/latest/password", content=b"ZW5jcnlwdGVk")).status_code == 200
        assert (await web.post("/openstack/latest/password", content=b"again")).status_code == 409
        assert (await web.post("/openstack/latest/meta_data.json", content=b"x")).status_code == 404
        assert (await web.get("/openstack/latest/password")).text == "ZW5jcnlwdGVk"
        assert (await member.get(url)).json() == {"password": "ZW5jcnlwdGVk"}
        assert (await m.as_project().get(url)).status_code == 404
        assert (await m.as_project().delete(url)).status_code == 404
        assert (await m.as_reader().delete(url)).status_code == 403
        assert (await member.delete(url)).status_code == 204
        assert (await member.get(url)).json() == {"password": ""}
        assert (await web.post("/openstack/latest/password", content=b"anew")).status_code == 200


async def test_network_data_waits_for_the_network_service(m: ComputeHarness) -> None:
    server_id = await m.server()
    m.peers["network"].on("GET", "/internal/v1/servers/{id}/subnets", lambda _r: (503, {}))
    async with guest(m, server_id) as web:
        assert (await web.get("/openstack/latest/network_data.json")).status_code == 503
        assert json.loads((await web.get("/openstack/latest/meta_data.json")).text)["uuid"] == server_id
