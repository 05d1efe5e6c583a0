"""The NBD endpoint beside nbdkit's file plugin in the same run: `python -m tests.perf.nbd [STORE_URL]`. QEMU's own client asks.

4 KiB at a stride that is coprime to the volume's blocks, which visits them in no order that a cache could use; and 1 MiB in sequence.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from synnefo_archipelago import open_store

SIZE = 256 << 20
VOLUME = "bench-nbd"
STRIDE = 4096 * 16411  # a prime
CASES = {  # name: arguments of qemu-img bench, and how much a request moves
    "4 KiB random read, 1 at a time": (["-c", "2000", "-d", "1", "-s", "4096", "-S", str(STRIDE)], 4096),
    "4 KiB random read, 32 at a time": (["-c", "8000", "-d", "32", "-s", "4096", "-S", str(STRIDE)], 4096),
    "4 KiB random write, 1 at a time": (["-w", "-c", "2000", "-d", "1", "-s", "4096", "-S", str(STRIDE)], 4096),
    "4 KiB random write, 32 at a time": (["-w", "-c", "8000", "-d", "32", "-s", "4096", "-S", str(STRIDE)], 4096),
    "4 KiB random write, a flush after each 64": (["-w", "-c", "2000", "-d", "32", "-s", "4096", "-S", str(STRIDE), "--flush-interval", "64"], 4096),
    "1 MiB sequential read": (["-c", "512", "-d", "4", "-s", str(1 << 20)], 1 << 20),
    "1 MiB sequential write": (["-w", "-c", "512", "-d", "4", "-s", str(1 << 20)], 1 << 20),
}


@contextmanager
def serving(words: list[str], socket: Path) -> Iterator[None]:
    with subprocess.Popen(words) as server:
        deadline = time.monotonic() + 20
        while subprocess.run(["nbdinfo", "--can", "connect", f"nbd+unix:///{VOLUME}?socket={socket}"], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{words[0]} does not come up")
            time.sleep(0.05)
        try:
            yield
        finally:
            server.terminate()


def measure(arguments: list[str], socket: Path) -> float:
    """Seconds that QEMU says it took."""
    uri = f"nbd+unix:///{VOLUME}?socket={socket}"
    words = ["qemu-img", "bench", "-f", "raw", "-t", "none", *arguments, uri]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    found = re.search(r"Run completed in ([0-9.]+) seconds", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    return float(found[1])


def main(store_url: str = "") -> None:
    with tempfile.TemporaryDirectory(prefix="synnefo-nbd-", dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        url = store_url or f"file://{folder}/store"
        store = stack.enter_context(open_store(url))
        store.create_volume(VOLUME, SIZE)
        stack.callback(store.delete_volume, VOLUME)
        (folder / "plain").touch()
        with (folder / "plain").open("r+b") as file:
            file.truncate(SIZE)
        ours = [sys.executable, "-m", "synnefo_archipelago.nbd", "--store", url, "--state", str(folder / "state"), "--socket", str(folder / "ours")]
        plain = ["nbdkit", "--foreground", "--unix", str(folder / "file"), "file", str(folder / "plain")]
        with serving(ours, folder / "ours"), serving(plain, folder / "file"):
            for socket in ("ours", "file"):  # so that what is read was written
                measure(["-w", "-c", str(SIZE >> 20), "-d", "4", "-s", str(1 << 20)], folder / socket)
            print("| | endpoint | nbdkit's file plugin | ratio |\n|---|---|---|---|")
            for title, (arguments, size) in CASES.items():
                count = int(arguments[arguments.index("-c") + 1])
                rates = [count / measure(arguments, folder / socket) for socket in ("ours", "file")]
                shown = [f"{rate * size / 1e6:,.0f} MB/s" if size > 4096 else f"{rate:,.0f} a second" for rate in rates]
                print(f"| {title} | {shown[0]} | {shown[1]} | {rates[1] / rates[0]:.1f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
