"""The NBD endpoint with real clients: what a guest was told is written is there, whatever dies."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synnefo_archipelago import LeaseHeld, Store, open_store
from synnefo_archipelago.nbd.journal import Journal

LIBNBD = Path("/usr/lib/python3/dist-packages/nbd.py")  # of the distribution's interpreter
needed = [name for name in ("nbdkit", "nbdcopy", "qemu-io") if shutil.which(name) is None]
needed += [] if LIBNBD.exists() else ["python3-libnbd"]
real = [pytest.mark.full, pytest.mark.skipif(bool(needed), reason=f"NBD: {', '.join(needed)} not installed")]
MIB = 1 << 20
SIZE = 64 * MIB


class Node:
    """A node's endpoint: a process of its own on the shared store."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.state = name, folder / name
        self.socket = folder / f"{name}.sock"
        self.store = folder / "store"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["-m", "synnefo_archipelago.nbd", "--store", f"file://{self.store}", "--owner", self.name]
        self.process = subprocess.Popen([sys.executable, *words, "--socket", self.socket, "--state", self.state])
        deadline = time.monotonic() + 20
        while subprocess.run(["nbdinfo", "--list", f"nbd+unix:///?socket={self.socket}"], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "the endpoint does not come up"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def uri(self, volume: str) -> str:
        return f"nbd+unix:///{volume}?socket={self.socket}"

    def client(self, volume: str, code: str) -> list[str]:
        """A process with a connection `h` of libnbd's."""
        opening = f"import nbd; h = nbd.NBD(); h.connect_uri({self.uri(volume)!r})"
        return ["/usr/bin/python3", "-c", f"{opening}\n{code}"]

    def shell(self, volume: str, code: str) -> str:
        """Run commands of libnbd's; what they print."""
        done = subprocess.run(self.client(volume, code), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Callable[[str], Node]]:
    started: list[Node] = []

    def start(name: str) -> Node:
        node = Node(tmp_path, name)
        started.append(node)
        node.start()
        return node

    yield start
    for node in started:
        node.stop(signal.SIGKILL)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"file://{tmp_path}/store") as opened:
        opened.create_volume("vol", SIZE)
        yield opened


class TestReal:
    pytestmark = real

    def test_real_clients_read_what_they_wrote(self, nodes: Callable[[str], Node], store: Store, tmp_path: Path) -> None:
        node = nodes("one")
        image = tmp_path / "image"
        image.write_bytes(random.Random(1).randbytes(9 * MIB + 512) + bytes(SIZE - 9 * MIB - 512))
        subprocess.run(["nbdcopy", image, node.uri("vol")], check=True, timeout=120)
        back = tmp_path / "back"
        subprocess.run(["nbdcopy", node.uri("vol"), back], check=True, timeout=120)
        assert back.read_bytes() == image.read_bytes()
        verify = ["-c", "write -P 7 1M 64k", "-c", "write -z 2M 4M", "-c", "discard 8M 1M", "-c", "flush"]
        reads = ["-c", "read -P 7 1M 64k", "-c", "read -P 0 2M 4M", "-c", "read -P 0 8M 1M"]
        done = subprocess.run(["qemu-io", "-f", "raw", *verify, *reads, node.uri("vol")], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 and "failed" not in done.stdout, done.stdout

    def test_holes_are_told(self, nodes: Callable[[str], Node], store: Store) -> None:
        node = nodes("one")
        node.shell("vol", "h.pwrite(b'x' * 4096, 16 << 20); h.flush()")
        map_ = subprocess.run(["nbdinfo", "--map", "--totals", node.uri("vol")], capture_output=True, text=True, check=True).stdout
        sizes = {line.split()[-1]: int(line.split()[0]) for line in map_.splitlines()}
        assert sizes["data"] == 4 * MIB
        assert sizes["hole,zero"] == SIZE - 4 * MIB

    def test_nothing_acknowledged_is_lost_when_the_server_is_killed(self, nodes: Callable[[str], Node], store: Store) -> None:
        """Never flushed: the guest goes on, and expects its writes."""
        node = nodes("one")
        code = "h.pwrite(b'first' * 1000, 1000); h.pwrite(b'second' * 1000, 2000); h.zero(512, 2048)"
        kill = f"import os; os.kill({node.process.pid if node.process else 0}, 9)"
        node.shell("vol", f"{code}; {kill}")
        node.stop(signal.SIGKILL)
        expected = bytearray(20_000)
        expected[1000:6000] = b"first" * 1000
        expected[2000:8000] = b"second" * 1000
        expected[2048:2560] = bytes(512)
        node.start()
        read = node.shell("vol", "import sys; sys.stdout.write(h.pread(20000, 0).hex())")
        assert bytes.fromhex(read) == expected
        node.stop()
        assert store.read_volume("vol", 0, 20_000) == expected  # stopped in order: all of it is in the store, and the lease is free
        assert store.last_holder("vol") is None

    def test_stopping_gives_the_leases_back(self, nodes: Callable[[str], Node], store: Store) -> None:
        """A server that was told to end waits for its guests, and then calls no export's `close` any more."""
        node = nodes("one")
        code = "h.pwrite(b'unflushed', 0); print('written', flush=True); input()"
        with subprocess.Popen(node.client("vol", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as guest:
            assert guest.stdout is not None and node.process is not None
            assert guest.stdout.readline() == "written\n"
            node.process.terminate()
            time.sleep(0.2)
            guest.communicate("\n", timeout=20)
        node.stop()
        assert store.last_holder("vol") is None
        assert store.read_volume("vol", 0, 9) == b"unflushed"

    def test_lease_moves_to_the_node_that_writes(self, nodes: Callable[[str], Node], store: Store) -> None:
        """Live migration: both sides have the volume open; the source falls silent, the target begins to write."""
        source, target = nodes("source"), nodes("target")
        with subprocess.Popen(
            source.client("vol", "h.pwrite(b'source', 0); print('written', flush=True); input()"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as guest:  # fmt: skip
            assert guest.stdout is not None
            assert guest.stdout.readline() == "written\n"
            assert target.shell("vol", "h.pread(512, 0)") == ""  # opened beside it, before anything is flushed
            began = time.monotonic()
            target.shell("vol", "h.pwrite(b'target', 8); h.flush()")
            assert time.monotonic() - began < 10
            guest.communicate("\n", timeout=20)
        source.stop()
        target.stop()
        assert store.read_volume("vol", 0, 14) == b"source\0\0target"

    def test_snapshot_while_a_guest_writes_has_all_that_it_was_told_is_written(self, nodes: Callable[[str], Node], store: Store) -> None:
        node = nodes("one")
        loop = "n = 0\nwhile n < 100000:\n n += 1; h.pwrite(n.to_bytes(8, 'big'), 4096 * (n % 64)); print(n, flush=True)"
        with subprocess.Popen(node.client("vol", loop), stdout=subprocess.PIPE, text=True) as guest:
            assert guest.stdout is not None
            told = int(guest.stdout.readline())
            with pytest.raises(LeaseHeld):
                store.snapshot_volume("vol")
            for _ in range(2):
                root = store.snapshot_volume("vol", wait_s=10)
                seen = max(int.from_bytes(store.read(root, 4096 * n, 8), "big") for n in range(64))
                assert seen >= told
                told = seen
                while int(guest.stdout.readline()) < seen + 100:  # the guest goes on
                    pass
            guest.kill()
        node.stop()
        assert store.lease_wanted_by("vol") is None

    def test_journal_of_a_node_that_lost_the_volume_is_void(self, nodes: Callable[[str], Node], store: Store) -> None:
        """The node died with its guest, which was started elsewhere: what only the dead node knew must not come back."""
        one = nodes("one")
        kill = f"import os; os.kill({one.process.pid if one.process else 0}, 9)"
        one.shell("vol", f"h.pwrite(b'unflushed', 0); {kill}")
        one.stop(signal.SIGKILL)
        with store.open_volume("vol", owner="two", force=True) as volume:
            volume.write(0, b"of node two")
        one.start()
        assert one.shell("vol", "import sys; sys.stdout.write(h.pread(11, 0).decode())") == "of node two"

    def test_second_endpoint_of_a_node_is_refused(self, nodes: Callable[[str], Node], store: Store) -> None:
        node = nodes("one")
        words = ["-m", "synnefo_archipelago.nbd", "--store", f"file://{node.store}", "--socket", f"{node.socket}2", "--state", str(node.state)]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 1
        assert "another endpoint" in done.stderr

    def test_volume_that_is_not_there(self, nodes: Callable[[str], Node], store: Store) -> None:
        node = nodes("one")
        done = subprocess.run(["nbdinfo", node.uri("other")], capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode != 0
        assert node.shell("vol", "print(h.get_size())").strip() == str(SIZE)


def test_journal_gives_back_what_was_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.write(10, b"one")
    journal.write_zeroes(100, 50)
    journal.write(20, b"two")
    whole = journal.size
    journal.write(30, b"torn")
    os.truncate(tmp_path / "j", journal.size - 1)
    journal.close(keep=True)
    again = Journal(tmp_path / "j")
    assert list(again.replay()) == [(10, 3, b"one"), (100, 50, None), (20, 3, b"two")]
    assert whole < again.size
    again.clear()
    assert list(again.replay()) == []


def test_journal_stops_at_damage(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.write(10, b"one")
    journal.write(20, b"two")
    with (tmp_path / "j").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    assert [entry.offset for entry in journal.replay()] == [10]
