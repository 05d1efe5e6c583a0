"""What the tests make."""

from typing import Any

import httpx

from synnefo_archipelago import Root
from synnefo_common.testing import Harness, wait_until
from synnefo_volume.app.services import Services
from synnefo_volume.app.store import root_text

IMAGE_ID = "aaaaaaaa-0000-4000-8000-000000000001"
SERVER_ID = "bbbbbbbb-0000-4000-8000-000000000001"


class Volumes:
    """Shorthands of one test's volume service."""

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.url = f"/v3/{h.project_id}"
        self.other_url = f"/v3/{h.other_project_id}"

    @property
    def services(self) -> Services:
        services: Services = self.h.service.app.state.services
        return services

    def used(self) -> dict[str, int]:
        return {k.removeprefix("volume."): n for k, n in self.h.quota.used.items() if n}

    async def create(
        self, *, client: httpx.AsyncClient | None = None, wait: bool = True, **volume: Any
    ) -> dict[str, Any]:
        me = client or self.h.as_member()
        r = await me.post(f"{self.url}/volumes", json={"volume": {"size": 1, "name": "one", **volume}})
        assert r.status_code == 202, r.text
        made: dict[str, Any] = r.json()["volume"]
        return await self.wait(made["id"], "available") if wait else made

    async def show(self, volume_id: str) -> dict[str, Any]:
        r = await self.h.as_member().get(f"{self.url}/volumes/{volume_id}")
        assert r.status_code == 200, r.text
        volume: dict[str, Any] = r.json()["volume"]
        return volume

    async def wait(self, volume_id: str, status: str) -> dict[str, Any]:
        async def reached() -> Any:
            volume = await self.show(volume_id)
            return volume if volume["status"] == status else None

        volume: dict[str, Any] = await wait_until(reached, what=f"{volume_id} is {status}")
        return volume

    async def wait_gone(self, volume_id: str) -> None:
        async def gone() -> bool:
            return (await self.h.as_member().get(f"{self.url}/volumes/{volume_id}")).status_code == 404

        await wait_until(gone, what=f"{volume_id} is gone")

    async def act(self, volume_id: str, name: str, value: Any = None, *, client: Any = None) -> httpx.Response:
        me = client or self.h.as_member()
        answer: httpx.Response = await me.post(f"{self.url}/volumes/{volume_id}/action", json={name: value})
        return answer

    async def snapshot(self, volume_id: str, *, wait: bool = True, **snapshot: Any) -> dict[str, Any]:
        body = {"snapshot": {"volume_id": volume_id, "name": "snap", **snapshot}}
        r = await self.h.as_member().post(f"{self.url}/snapshots", json=body)
        assert r.status_code == 202, r.text
        made: dict[str, Any] = r.json()["snapshot"]
        if not wait:
            return made

        async def ready() -> Any:
            found = (await self.h.as_member().get(f"{self.url}/snapshots/{made['id']}")).json()["snapshot"]
            return found if found["status"] == "available" else None

        made = await wait_until(ready)
        return made

    async def give_image(self, data: bytes = b"disk", **image: Any) -> Root:
        """Let the image service have an image with these bytes."""
        writer = self.services.store.writer()
        await writer.write(data)
        root = await writer.finish()
        document = {
            "id": IMAGE_ID,
            "name": "img",
            "status": "active",
            "disk_format": "raw",
            "container_format": "bare",
            "size": len(data),
            "virtual_size": len(data),
            "min_disk": 0,
            "min_ram": 0,
            "properties": {"os": "x"},
            "root": root_text(root),
            "checksum": "c",
            **image,
        }
        self.h.peers["image"].on("GET", f"/internal/v1/images/{IMAGE_ID}", document)
        return root

    async def read(self, volume_id: str, offset: int, length: int) -> bytes:
        return await self.services.store.read_volume(volume_id, offset, length)

    async def write(self, volume_id: str, data: bytes) -> None:
        volume = await self.services.store.open_volume(volume_id, owner="test")
        await volume.write(0, data)
        await volume.flush()
        await volume.close()

    async def stored(self) -> set[str]:
        return {name async for name in self.services.store.list_volumes()}
