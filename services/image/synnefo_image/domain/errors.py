"""What the image service refuses, with stable codes."""

from __future__ import annotations

from synnefo_common.errors import BadRequest, Conflict, Fault, Forbidden, NotFound, TooLarge


class ImageNotFound(NotFound):
    """No image of that id that the caller may see."""

    default_code = "image.image.not_found"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"No image found with ID {image_id[:64]}")


class MemberNotFound(NotFound):
    """The project is no member of the image."""

    default_code = "image.member.not_found"

    def __init__(self, image_id: str, member_id: str) -> None:
        super().__init__(f"{member_id[:64]} not found in the member list of the image {image_id}.")


class InvalidImage(BadRequest):
    """An attribute has a value that it cannot have."""

    default_code = "image.image.invalid"


class ReadOnlyAttribute(Forbidden):
    """The attribute is set by the service only."""

    default_code = "image.attribute.read_only"


class ImageProtected(Forbidden):
    """Protected images are not deleted."""

    default_code = "image.image.protected"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"Image {image_id} is protected and cannot be deleted.")


class NotShared(Forbidden):
    """Only images of visibility `shared` have members."""

    default_code = "image.member.not_shared"

    def __init__(self) -> None:
        super().__init__("Only shared images have members.")


class WrongStatus(Conflict):
    """The image's status does not allow it."""

    default_code = "image.image.wrong_status"


class ImageChanged(Conflict):
    """Somebody else changed the image at the same moment."""

    default_code = "image.image.changed"

    def __init__(self) -> None:
        super().__init__("The image was changed by another request at the same time. Read it and try again.")


class LimitReached(TooLarge):
    """More of something than one image may have."""

    default_code = "image.limit"


class UploadAbandoned(Fault):
    """410: the image was deleted, or its upload given up, before all bytes were here."""

    status = 410
    default_code = "image.upload.gone"
