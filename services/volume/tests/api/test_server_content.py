"""What compute writes into a disk before its server sees it."""

import base64
import lzma
from typing import Any

import httpx
import pytest
from services.volume.tests.api.test_internal import ROOT, URL, put
from services.volume.tests.factories import Volumes

from synnefo_common.testing import Harness

DRIVE = {"boot_index": None, "source": "blank", "size_gib": 1, "delete_on_termination": True, "visible": False, "name": "config-drive"}


async def _fill(h: Harness, volume_id: str, content: bytes, **body: Any) -> httpx.Response:
    packed = {"xz": base64.b64encode(lzma.compress(content)).decode()} | body
    return await h.internal().put(f"{URL}/{volume_id}/content", json=packed, headers={"Idempotency-Key": "k"})


async def test_a_hidden_disk_holds_what_was_put_last_and_goes_with_its_server(h: Harness, v: Volumes) -> None:
    drive = (await put(h, DRIVE)).json()["volumes"][0]
    assert (await _fill(h, drive["id"], b"x" * 9_000_000)).status_code == 204
    for _ in range(2):  # a repeat does no harm
        assert (await _fill(h, drive["id"], b"config")).status_code == 204
    assert await v.read(drive["id"], 0, 10) == b"config\0\0\0\0"
    assert await v.read(drive["id"], 8_999_990, 10) == bytes(10)
    assert (await h.as_member().get(f"{v.url}/volumes")).json() == {"volumes": []}
    assert v.used() == {}
    assert (await h.internal().delete(URL)).status_code == 204
    assert await v.stored() == set()


async def test_no_other_disk_is_filled(h: Harness, v: Volumes) -> None:
    await v.give_image(b"boot")
    disks = (await put(h, ROOT, DRIVE | {"visible": True, "name": "data"})).json()["volumes"]
    for disk in disks:
        assert (await _fill(h, disk["id"], b"x")).status_code == 404
    assert await v.read(disks[0]["id"], 0, 4) == b"boot"


async def test_only_services_fill_disks(h: Harness) -> None:
    drive = (await put(h, DRIVE)).json()["volumes"][0]
    answer = await h.as_admin().put(f"{URL}/{drive['id']}/content", json={"xz": ""})
    assert answer.status_code == 403


@pytest.mark.parametrize("xz", ["%%%", "eA==", base64.b64encode(lzma.compress(b"x" * 100)[:-9]).decode()])
async def test_what_is_no_content_is_refused(h: Harness, v: Volumes, xz: str) -> None:
    drive = (await put(h, DRIVE)).json()["volumes"][0]
    assert (await _fill(h, drive["id"], b"before")).status_code == 204
    assert (await _fill(h, drive["id"], b"", xz=xz)).status_code == 400
    assert await v.read(drive["id"], 0, 6) == b"before"


async def test_a_bomb_is_refused(h: Harness) -> None:
    drive = (await put(h, DRIVE)).json()["volumes"][0]
    assert (await _fill(h, drive["id"], bytes(17 << 20))).status_code == 400


async def test_a_disk_that_is_open_elsewhere_is_for_later(h: Harness, v: Volumes) -> None:
    drive = (await put(h, DRIVE)).json()["volumes"][0]
    volume = await v.services.store.open_volume(drive["id"], owner="node1")
    assert (await _fill(h, drive["id"], b"x")).status_code == 503
    await volume.close()
    assert (await _fill(h, drive["id"], b"x")).status_code == 204
