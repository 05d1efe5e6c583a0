"""What the volume service refuses, with stable codes. A wrong status is 400, as in Cinder."""

from __future__ import annotations

from synnefo_common.errors import BadRequest, Conflict, NotFound


class VolumeNotFound(NotFound):
    """No volume of that id that the caller may see."""

    default_code = "volume.volume.not_found"

    def __init__(self, volume_id: str) -> None:
        super().__init__(f"Volume {volume_id[:64]} could not be found.")


class SnapshotNotFound(NotFound):
    """No snapshot of that id that the caller may see."""

    default_code = "volume.snapshot.not_found"

    def __init__(self, snapshot_id: str) -> None:
        super().__init__(f"Snapshot {snapshot_id[:64]} could not be found.")


class StorageJobNotFound(NotFound):
    """No storage job of that id."""

    default_code = "volume.storage_job.not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Storage job {job_id[:64]} could not be found.")


class PoolNotFound(NotFound):
    """No pool of that name in the settings."""

    default_code = "volume.pool.not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"The pool {name[:64]} is not configured.")


class VolumeTypeNotFound(NotFound):
    """No volume type of that id or name that the caller may use."""

    default_code = "volume.type.not_found"

    def __init__(self, type_id: str) -> None:
        super().__init__(f"Volume type {type_id[:64]} could not be found.")


class MetadataNotFound(NotFound):
    """The key is not there."""

    default_code = "volume.metadata.not_found"

    def __init__(self, key: str) -> None:
        super().__init__(f"Metadata item with key {key[:64]} was not found.")


class InvalidVolume(BadRequest):
    """The volume's status does not allow it."""

    default_code = "volume.volume.wrong_status"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid volume: {reason}")


class InvalidSnapshot(BadRequest):
    """The snapshot's status does not allow it."""

    default_code = "volume.snapshot.wrong_status"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid snapshot: {reason}")


class InvalidInput(BadRequest):
    """A value that cannot be."""

    default_code = "volume.input"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid input received: {reason}")


class VolumeBusy(Conflict):
    """A node has the volume open, and only it knows what is not written yet."""

    default_code = "volume.volume.busy"

    def __init__(self, volume_id: str) -> None:
        super().__init__(f"Volume {volume_id} is open on a node. Stop its server, or try again.")
