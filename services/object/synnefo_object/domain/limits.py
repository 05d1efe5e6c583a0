"""The limits of the API: enforced by `domain`, told to clients by `GET /info`. Swift's own figures."""

from typing import Final

MAX_FILE_SIZE: Final = 5368709122
MAX_META_NAME_LENGTH: Final = 128
MAX_META_VALUE_LENGTH: Final = 256
MAX_META_COUNT: Final = 90
MAX_META_OVERALL_SIZE: Final = 4096
MAX_HEADER_SIZE: Final = 8192
MAX_OBJECT_NAME_LENGTH: Final = 1024
MAX_CONTAINER_NAME_LENGTH: Final = 256
MAX_ACCOUNT_NAME_LENGTH: Final = 256
LISTING_LIMIT: Final = 10000
SECRET_KEY_LENGTH: Final = 512
ACCOUNT_PREFIX: Final = "AUTH_"
RESOURCE: Final = "object.bytes"
"""What the quota ledger counts of a project."""

MAX_SLO_SEGMENTS: Final = 1000
MAX_SLO_MANIFEST_SIZE: Final = 8 << 20
HEARTBEAT_S: Final = 10
MAX_SYMLINKS: Final = 2
MAX_SUB_LISTING: Final = 10000

MAX_DELETES_PER_REQUEST: Final = 10000
MAX_FAILED_DELETES: Final = 1000
MAX_FAILED_EXTRACTIONS: Final = 1000
MAX_CONTAINERS_PER_EXTRACTION: Final = 10000

LARGE_OBJECT: Final = 1 << 20
"""From this size on an object's blocks are looked up for uploads by hashmap; smaller ones are sent again."""
MAX_HASHMAP_BODY: Final = 32 << 20
MAX_SHARED_WITH: Final = 32
MAX_GROUPS: Final = 32
MAX_GROUP_MEMBERS: Final = 32
PUBLIC_ID_LENGTH: Final = 24
