"""Bodies of the actions of volumes and snapshots, one model each; the key of the action is outside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synnefo_volume.api.schemas.common import LooseBool, Metadata, SizeGib, Text, Uuid


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Attach(_Strict):
    """`os-attach`."""

    mountpoint: Annotated[Text, Field(min_length=1)]
    instance_uuid: Uuid | None = None
    host_name: Text | None = None
    mode: Literal["rw", "ro"] = "rw"

    @model_validator(mode="after")
    def _one_place(self) -> Attach:
        if self.instance_uuid is None and self.host_name is None:
            raise ValueError("instance_uuid or host_name is required")
        return self


class Detach(_Strict):
    """`os-detach`."""

    attachment_id: Uuid | None = None


class ForceDetach(_Strict):
    """`os-force_detach`."""

    attachment_id: Uuid | None = None
    connector: dict[str, Any] | None = None


class Connection(_Strict):
    """`os-initialize_connection`, `os-terminate_connection`."""

    connector: dict[str, Any] | str | None


class Extend(_Strict):
    """`os-extend`."""

    new_size: SizeGib


class Retype(_Strict):
    """`os-retype`."""

    new_type: Text
    migration_policy: Literal["on-demand", "never"] | None = None


class Bootable(_Strict):
    """`os-set_bootable`."""

    bootable: LooseBool


class Readonly(_Strict):
    """`os-update_readonly_flag`."""

    readonly: LooseBool


class ResetStatus(_Strict):
    """`os-reset_status` of a volume."""

    status: Text | None = None
    attach_status: Literal["attached", "detached"] | None = None
    migration_status: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> ResetStatus:
        if self.status is None and self.attach_status is None and self.migration_status is None:
            raise ValueError("status, attach_status or migration_status is required")
        return self


class ResetSnapshotStatus(_Strict):
    """`os-reset_status` of a snapshot."""

    status: Text


class UpdateSnapshotStatus(_Strict):
    """`os-update_snapshot_status`."""

    status: Text
    progress: Annotated[Text, Field(pattern=r"^[0-9]{1,3}%?$")] | None = None


class ImageMetadata(_Strict):
    """`os-set_image_metadata`."""

    metadata: Metadata


class ImageMetadataKey(_Strict):
    """`os-unset_image_metadata`."""

    key: Annotated[Text, Field(min_length=1)]


class UploadImage(_Strict):
    """`os-volume_upload_image`."""

    image_name: Annotated[Text, Field(min_length=1)]
    force: LooseBool = False
    disk_format: Literal["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"] | None = None
    container_format: Text | None = None


class Nothing(BaseModel):
    """An action whose value says nothing."""

    model_config = ConfigDict(extra="allow")
