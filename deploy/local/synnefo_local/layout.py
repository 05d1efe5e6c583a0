"""Where the local cloud keeps things: state directories, ports, and what is remembered between starts.

Three clouds can share one state folder without mixing: `embedded`, `full-fake` and `full-real` each have their own
settings, databases and Ganeti. One of them runs at a time, since they share the well-known ports.
"""

import hashlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = ".synnefo-state"
CHECKOUT = Path(__file__).resolve().parents[3]
SERVICES = ("identity", "compute", "network", "image", "volume", "object", "dispatcher")
WELL_KNOWN = {
    "identity": 5000, "compute": 8774, "network": 9696, "image": 9292, "volume": 8776, "object": 8080,
    "dispatcher": 8790, "metadata": 8775, "console": 6080,
}  # fmt: skip
VARIANTS = ("embedded", "full-fake", "full-real")
CLUSTERS = ("alpha", "beta")
MAX_REAL_PATH = 60  # Unix sockets end at 107 bytes; ours lie up to 40 deeper


class LocalError(Exception):
    """Something that the person at the keyboard can put right; shown without a traceback."""


@dataclass(frozen=True)
class Layout:
    """One cloud's folders. `root` is $SYNNEFO_STATE; `real` is where servers that are not ours live."""

    root: Path
    variant: str

    @property
    def home(self) -> Path:
        return self.root if self.variant == "embedded" else self.root / self.variant

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def ganeti(self) -> Path:
        return self.home / "ganeti"

    @property
    def real(self) -> Path:
        return real_root(self.root) / self.variant.removeprefix("full-")

    @property
    def is_full(self) -> bool:
        return self.variant != "embedded"

    @property
    def has_real_ganeti(self) -> bool:
        return self.variant == "full-real"

    def create(self) -> None:
        claim(self.root)
        for folder in (self.etc, self.log, self.run, self.data):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        if self.is_full:
            if len(str(self.real)) > MAX_REAL_PATH:
                raise LocalError(f"{self.real} is too long for Unix sockets: set SYNNEFO_REAL_STATE to a shorter path")
            try:
                claim(real_root(self.root))
                self.real.mkdir(parents=True, exist_ok=True)
            except PermissionError as error:
                raise LocalError(
                    f"no permission to write {self.real}: set SYNNEFO_REAL_STATE to a folder of yours"
                ) from error


def state_root(environ: Mapping[str, str] = os.environ) -> Path:
    return Path(environ.get("SYNNEFO_STATE") or CHECKOUT / ".synnefo").absolute()


def real_root(root: Path) -> Path:
    """Short, and with parents open to the user `postgres`: neither in the checkout nor in root's home."""
    if given := os.environ.get("SYNNEFO_REAL_STATE"):
        base = Path(given).absolute()
    elif os.geteuid() == 0:
        base = Path("/var/lib/synnefo")
    else:
        base = Path.home() / ".local/state/synnefo"
    return base / hashlib.sha256(str(root).encode()).hexdigest()[:10]


def claim(folder: Path) -> None:
    """Make `folder` ours, or refuse one with other things in it: `clean` deletes what carries the marker."""
    marker = folder / MARKER
    if marker.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise LocalError(f"{folder} exists and is not a Synnefo state folder: choose another SYNNEFO_STATE")
    marker.write_text("State of a local Synnefo cloud; `make clean` deletes this folder.\n")


def remove(folder: Path) -> bool:
    """Delete a folder that `claim` made; anything else is refused. False when there is none."""
    if not folder.exists():
        return False
    if not (folder / MARKER).is_file():
        raise LocalError(f"{folder} has no {MARKER}: not ours, so it is left alone")
    # The marker goes last, so that a removal cut short can be repeated.
    for entry in folder.iterdir():
        if entry.name != MARKER:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    shutil.rmtree(folder)
    return True


def write_private(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file in one step, readable by its owner only; `durable` for what cannot be made again."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def load_memory(layout: Layout) -> dict[str, Any]:
    """What must stay the same between starts: ports and passwords."""
    path = layout.home / "state.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save_memory(layout: Layout, memory: Mapping[str, Any]) -> None:
    text = json.dumps(memory, indent=2, sort_keys=True) + "\n"
    path = layout.home / "state.json"
    if not path.exists() or path.read_text() != text:
        write_private(path, text, durable=True)


def remember(layout: Layout, *, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Ports and passwords of this cloud, chosen once. SYNNEFO_PORT_BASE, when given, moves the services' ports."""
    memory = load_memory(layout)
    if base := environ.get("SYNNEFO_PORT_BASE"):
        memory["port_base"] = int(base)
    passwords = memory.setdefault("passwords", {})
    for name in (
        "admin",
        "demo",
        "alt_demo",
        "metadata",
        *(f"service/{s}" for s in SERVICES),
        *(f"database/{s}" for s in SERVICES),
    ):
        passwords.setdefault(name, secrets.token_urlsafe(18))
    passwords.setdefault("rapi", secrets.token_hex(16))
    if not layout.has_real_ganeti:
        memory.setdefault("ganeti_ports", dict(zip(CLUSTERS, free_ports(len(CLUSTERS)), strict=True)))
    save_memory(layout, memory)
    return memory


def choose_hypervisor(layout: Layout, memory: Mapping[str, Any], *, asked: str) -> str:
    """`fake` or `kvm` of the real clusters: as asked for when they were made. LocalError when they were made otherwise."""
    kept = str(memory.get("hypervisor", "fake" if "network" in memory else asked or "fake"))
    if asked and asked != kept:
        raise LocalError(f"the clusters of {layout.home} have the hypervisor {kept}: `make clean` first, or another SYNNEFO_STATE")
    if kept == "kvm" and not layout.has_real_ganeti:
        raise LocalError("the hypervisor kvm needs real Ganeti clusters: PROFILE=full GANETI=real")
    return kept


def cluster_nodes(memory: Mapping[str, Any]) -> dict[str, int]:
    """The real clusters with their numbers of nodes. Guests can migrate between two; a fake cluster beside them would take servers."""
    return {CLUSTERS[0]: 2} if memory.get("hypervisor") == "kvm" else dict.fromkeys(CLUSTERS, 1)


def service_ports(memory: Mapping[str, Any]) -> dict[str, int]:
    base = memory.get("port_base")
    if base is None:
        return dict(WELL_KNOWN)
    return {name: int(base) + offset for offset, name in enumerate(WELL_KNOWN)}


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Two `make up` or `make down` at once on one state folder wait for each other."""
    import fcntl

    claim(root)
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
