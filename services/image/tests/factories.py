"""What the tests make."""

import json
from typing import Any

import httpx

V21 = "application/openstack-images-v2.1-json-patch"
V20 = "application/openstack-images-v2.0-json-patch"
OCTETS = {"Content-Type": "application/octet-stream"}


async def make_image(client: httpx.AsyncClient, data: bytes | None = None, **attributes: Any) -> dict[str, Any]:
    body = {"name": "one", "disk_format": "raw", "container_format": "bare", **attributes}
    r = await client.post("/v2/images", json=body)
    assert r.status_code == 201, r.text
    image: dict[str, Any] = r.json()
    if data is not None:
        r = await client.put(
            f"{image['self']}/file", content=data, headers={"Content-Type": "application/octet-stream"}
        )
        assert r.status_code == 204, r.text
        image = (await client.get(image["self"])).json()
    return image


async def patch(
    client: httpx.AsyncClient, image: dict[str, Any], *ops: dict[str, Any], kind: str = V21
) -> httpx.Response:
    return await client.patch(image["self"], content=json.dumps(list(ops)), headers={"Content-Type": kind})
