"""Taking over an existing pool of the original Archipelago: read-only, block by block, everything verified.

`import_map` copies one image, snapshot or volume into a store and returns its root. Start with `FilePool` or `RadosPool`.
"""

from synnefo_archipelago.legacy.importing import import_map
from synnefo_archipelago.legacy.maps import LegacyMap, LegacyPools, read_map
from synnefo_archipelago.legacy.pools import FilePool, LegacyPool, RadosPool

__all__ = ["FilePool", "LegacyMap", "LegacyPool", "LegacyPools", "RadosPool", "import_map", "read_map"]
