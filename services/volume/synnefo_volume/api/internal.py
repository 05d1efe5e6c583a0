"""/internal/v1 of the volume service: disks of servers for compute, roots for the collector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from synnefo_common.web import Service, answer, empty, internal_router
from synnefo_volume.api.deps import Svc
from synnefo_volume.api.schemas.common import MAX_INT, Name, Text, Uuid
from synnefo_volume.app import roots, server_content, server_volumes

router = internal_router()
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]
Id = Annotated[str, Path(pattern=r"^[0-9a-fA-F-]{32,36}$")]


class Disk(BaseModel):
    """A disk of a new server."""

    source: Literal["image", "snapshot", "volume", "blank"]
    uuid: Uuid | None = None
    size_gib: int = Field(default=0, ge=0, le=MAX_INT)
    boot_index: int | None = Field(default=None, ge=-1, le=MAX_INT)
    volume_type: Text | None = None
    delete_on_termination: bool = False
    device_name: Text | None = None
    tag: Text | None = None
    name: Name | None = None
    visible: bool = False
    image: dict[str, Any] | None = None  # the image service's document, as the caller saw it then (µs)
    image_seen_at: int | None = None

    @model_validator(mode="after")
    def _whole(self) -> Disk:
        if self.source != "blank" and self.uuid is None:
            raise ValueError(f"a disk of source {self.source} needs a uuid")
        if self.source != "volume" and self.size_gib < 1:
            raise ValueError("a new disk needs a size_gib of 1 or more")
        return self


class PutVolumes(BaseModel):
    """All disks of a new server."""

    project_id: Text
    user_id: Text
    reserved: bool = False
    volumes: list[Disk] = Field(max_length=64)


class Source(BaseModel):
    """A volume or snapshot that a new server is to have; `size_gib` 0: as large as it is."""

    source: Literal["snapshot", "volume"]
    uuid: Uuid
    size_gib: int = Field(default=0, ge=0, le=MAX_INT)
    boot_index: int | None = Field(default=None, ge=-1, le=MAX_INT)


class CheckSources(BaseModel):
    """The volumes and snapshots of a server that is not accepted yet."""

    project_id: Text
    volumes: list[Source] = Field(max_length=64)


class AttachVolume(BaseModel):
    """Whose volume, and where it shows."""

    project_id: Text
    user_id: Text | None = None
    device_name: Text | None = None


class RootSize(BaseModel):
    """The root disk's new size."""

    size_gib: int = Field(ge=1, le=MAX_INT)


class Content(BaseModel):
    """What is to be at the beginning of a disk: compressed by xz, in base64."""

    xz: str


class Freeze(BaseModel):
    """Whose volume."""

    project_id: Text


@router.post("/servers/check")
async def check_sources(body: CheckSources, _service: Service, svc: Svc) -> Response:
    """The sizes that the disks would have; a 4xx if one could not be used."""
    wanted = [source.model_dump() for source in body.volumes]
    return answer({"sizes_gib": await server_volumes.check_sources(svc, wanted, project_id=body.project_id)})


@router.put("/servers/{server_id}/volumes")
async def put_volumes(server_id: Id, body: PutVolumes, _service: Service, svc: Svc, key: Key = None) -> Response:
    """Create and attach all disks of a new server. A 4xx has no effect; a repeat with the key answers the same."""
    wanted: list[dict[str, Any]] = [disk.model_dump() for disk in body.volumes]
    found = await server_volumes.put_volumes(
        svc, server_id, wanted, project_id=body.project_id, user_id=body.user_id, is_reserved=body.reserved, key=key
    )
    return answer({"volumes": found})


@router.get("/servers/{server_id}/volumes")
async def list_volumes(server_id: Id, _service: Service, svc: Svc) -> Response:
    """What the server has."""
    return answer({"volumes": await server_volumes.list_of_server(svc, server_id)})


@router.delete("/servers/{server_id}/volumes", status_code=204)
async def delete_volumes(server_id: Id, _service: Service, svc: Svc) -> Response:
    """The server is gone: delete its disks, free the volumes that outlive it."""
    await server_volumes.delete_volumes(svc, server_id)
    return empty()


@router.put("/servers/{server_id}/volumes/root/size")
async def grow_root(server_id: Id, body: RootSize, _service: Service, svc: Svc) -> Response:
    """Make the root disk larger."""
    return answer(await server_volumes.grow_root(svc, server_id, size_gib=body.size_gib))


@router.post("/servers/{server_id}/volumes/{volume_id}")
async def attach_volume(server_id: Id, volume_id: Id, body: AttachVolume, _service: Service, svc: Svc) -> Response:
    """Attach a free volume."""
    found = await server_volumes.attach_volume(
        svc, server_id, volume_id, project_id=body.project_id, device_name=body.device_name
    )
    return answer(found)


@router.put("/servers/{server_id}/volumes/{volume_id}/content", status_code=204)
async def put_content(server_id: Id, volume_id: Id, body: Content, _service: Service, svc: Svc) -> Response:
    """Fill a hidden disk that nobody has open, before the server sees it."""
    await server_content.put_content(svc, server_id, volume_id, xz=body.xz)
    return empty()


@router.delete("/servers/{server_id}/volumes/{volume_id}", status_code=204)
async def detach_volume(server_id: Id, volume_id: Id, _service: Service, svc: Svc) -> Response:
    """Detach; done if it is not attached."""
    await server_volumes.detach_volume(svc, server_id, volume_id)
    return empty()


@router.post("/volumes/{volume_id}/freeze")
async def freeze_volume(volume_id: Id, body: Freeze, _service: Service, svc: Svc) -> Response:
    """A root of the volume as it is now."""
    return answer(await server_volumes.freeze_volume(svc, volume_id, project_id=body.project_id))


@router.get("/roots")
async def list_roots(
    _service: Service,
    svc: Svc,
    epoch: str = "",
    after: str = Query(default="", max_length=64),
    limit: int = Query(default=1000, ge=1, le=10000),
) -> Response:
    """Every root that a snapshot holds or a volume is still to be cloned from; `complete` at the end."""
    return answer(await roots.list_roots(svc, after=after, limit=limit))
