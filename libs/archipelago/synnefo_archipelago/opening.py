"""From a URL to a store."""

import os
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qs, unquote, urlsplit

from synnefo_archipelago.api import DEFAULT_BLOCK_SIZE, Driver
from synnefo_archipelago.drivers.file import FileDriver
from synnefo_archipelago.drivers.memory import MemoryDriver
from synnefo_archipelago.store import Store

_shared: dict[str, MemoryDriver] = {}


def open_driver(url: str) -> Driver:
    parts = urlsplit(url)
    if parts.scheme == "memory":
        # A named one is shared by all that open it in this process.
        return _shared.setdefault(parts.path, MemoryDriver()) if parts.path else MemoryDriver()
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return FileDriver(unquote(parts.path))
    if parts.scheme == "rados" and not parts.netloc and parts.path.startswith("/"):
        from synnefo_archipelago.drivers.rados import RadosDriver

        options = {key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        unknown = options.keys() - {"maps", "blocks", "namespace", "user", "timeout_s"}
        if unknown:
            raise ValueError(f"unknown options of a RADOS store: {', '.join(sorted(unknown))}")
        return RadosDriver(
            unquote(parts.path),
            maps=options.get("maps", "maps"),
            blocks=options.get("blocks", "blocks"),
            namespace=options.get("namespace", ""),
            user=options.get("user", "admin"),
            timeout_s=float(options.get("timeout_s", "30")),
        )
    raise ValueError(f"{url!r} is no URL of a store: memory:[name], file:///path or rados:///ceph.conf?maps=&blocks=")


def open_store(url: str, *, block_size: int = DEFAULT_BLOCK_SIZE) -> Store:
    """Open, and create if need be, the store at a URL.

    `memory:`, `memory:NAME` (shared within the process), `file:///PATH`,
    `rados:///etc/ceph/ceph.conf?maps=POOL&blocks=POOL&namespace=NAME&user=admin&timeout_s=30`.
    """
    return Store(open_driver(url), block_size=block_size)


def store_mark(url: str) -> str:
    """A mark by which two services can tell that they mean the same store, without telling its URL."""
    return sha256(_identity(url).encode()).hexdigest()


def check_apart(urls: Sequence[str]) -> None:
    """Raises ValueError if two are one store, or no store's: what one sweeps would be the other's."""
    seen: set[str] = set()
    for url in urls:
        identity = _identity(url)
        if identity in seen and identity != "memory:":
            raise ValueError(f"{url!r} is the store of another pool, too")
        seen.add(identity)


def _identity(url: str) -> str:
    """What of a URL says which store it is."""
    parts = urlsplit(url)
    match parts.scheme:
        case "memory":
            return f"memory:{parts.path}"
        case "file" if not parts.netloc and parts.path.startswith("/"):
            return f"file:{os.path.realpath(unquote(parts.path))}"
        case "rados":
            options = parse_qs(parts.query)
            where = [options.get(name, [default])[-1] for name, default in (("maps", "maps"), ("blocks", "blocks"), ("namespace", ""))]
            return "\n".join(("rados:", os.path.realpath(unquote(parts.path)), *where))
    raise ValueError(f"{url!r} is no URL of a store")
