"""Named places at which a test may stop the store as a power cut would.

Production never replaces `point`; it does nothing. Callers write `crash.point("file.fsync")`, through the module,
so that a test can put its own callable here. Not a fault injector: it changes no data.
"""

from collections.abc import Callable


def _nothing(name: str) -> None:
    """Do nothing: the production behaviour."""


point: Callable[[str], None] = _nothing

POINTS = (
    "file.temp",  # a temporary file was written
    "file.fsync",  # and reached the disk
    "file.rename",  # an object got its name
    "file.dirsync",  # and the name reached the disk
    "file.write",  # bytes were written inside an existing object
    "file.datasync",  # and reached the disk
    "record.link",  # a new version of a record got its name
    "record.dirsync",  # and the name reached the disk
    "trash.rename",  # an object that is to be removed went to the trash
    "trash.unlink",  # and from there
    "survey.checkpoint",  # a survey remembered how far it is
    "gc.swept",  # the collector removed what it may of one partition
    "gc.checkpoint",  # and remembered it
    "private.slots",  # new data of a private block is durable, its table still shows the old
    "private.table",  # its table shows the new
    "root.cas",  # just before a volume's root is exchanged
    "root.done",  # just after
)
