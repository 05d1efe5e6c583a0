"""The block store alone, without a cloud: on a directory, and on a RADOS cluster of its own in memory."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from synnefo_archipelago import Root, RootKind, Store, open_store
from synnefo_archipelago.entries import pack_cas
from synnefo_archipelago.roots import PAGE_ENTRIES
from tests.perf.figures import Figure

MIB = 1 << 20
TIB = 1 << 40
SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "local" / "infra"


def measure_blocks() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="synnefo-blocks-") as directory:
        yield from _measure("file", f"file://{directory}/store")
    if shutil.which("ceph-osd"):
        with tempfile.TemporaryDirectory(prefix="synnefo-rados-") as directory:
            env = {**os.environ, "RADOS_STORE": "memstore", "RADOS_AUTH": "none", "RADOS_OSD_GB": "2"}
            subprocess.run([SCRIPTS / "rados-up", directory], check=True, capture_output=True, timeout=90, env=env)
            try:
                yield from _measure("RADOS", f"rados://{directory}/ceph.conf")
            finally:
                subprocess.run([SCRIPTS / "rados-down", directory, "--purge"], check=False, capture_output=True, timeout=60)


def _full_image(store: Store, size: int) -> Root:
    """A root in which every block differs; the blocks themselves are not there, and need not be."""
    pages = [
        b"".join(pack_cas(number.to_bytes(32, "big"), 4 * MIB) for number in range(first, first + PAGE_ENTRIES))
        for first in range(1, size // (4 * MIB), PAGE_ENTRIES)
    ]
    return Root(RootKind.FROZEN, size, 4 * MIB, *store.save_map(size, 4 * MIB, pages))


def _times(call: Callable[[int], object], n: int) -> list[float]:
    times = []
    for number in range(n):
        started = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - started)
    return times


def _milliseconds(name: str, times: list[float], goal: str) -> Figure:
    seen = {"best ms": min(times) * 1000, "worst ms": max(times) * 1000}
    return Figure(name, statistics.median(times) * 1000, "ms", goal, seen)


def _measure(kind: str, url: str) -> Iterator[Figure]:
    rng = random.Random(1)
    with open_store(url) as store:
        image = _full_image(store, TIB)
        yield _milliseconds(f"{kind}: clone of 1 TiB", _times(lambda n: store.create_volume(f"v{n}", TIB, image), 30), "< 5")
        yield _milliseconds(f"{kind}: snapshot of 1 TiB", _times(lambda n: store.snapshot_volume(f"v{n}"), 30), "< 5")

        data = rng.randbytes(96 * MIB)
        roots: list[Root] = []

        def upload(number: int) -> None:
            writer = store.writer()
            writer.write(memoryview(data)[number * 32 * MIB : (number + 1) * 32 * MIB])
            roots.append(writer.finish())

        for name, call in (("put", upload), ("get", lambda n: store.read(roots[n], 0, 32 * MIB))):
            best = min(_times(call, 3))
            yield Figure(f"{kind}: {name} of blocks, 32 MiB", 32 * MIB / best / 1e6, "MB/s")

        store.create_volume("vol", 64 * MIB, roots[0])
        with store.open_volume("vol", owner="bench") as volume:
            piece = rng.randbytes(4096)

            def write(number: int) -> None:
                volume.write(number * 4096, piece)
                volume.flush()

            def write_first(number: int) -> None:
                volume.write(32 * MIB + number * 4 * MIB, piece)
                volume.flush()

            first = _times(write_first, 6)
            volume.write(0, piece)
            volume.flush()
            times = _times(write, 200)
            seen = {"p50 ms": statistics.median(times) * 1000, "first in a block, ms": statistics.median(first) * 1000}
            yield Figure(f"{kind}: 4 KiB write and flush", len(times) / sum(times), "a second", "", seen)
            started = time.perf_counter()
            for number in range(2000):
                volume.write(rng.randrange(0, 8 * MIB, 4096), piece)
                if number % 64 == 63:
                    volume.flush()
            volume.flush()
            yield Figure(f"{kind}: 4 KiB writes, a flush for 64", 2000 / (time.perf_counter() - started), "a second")
