"""Several processes on one directory, or one cluster: nothing but the storage itself keeps them apart. No `fcntl`."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from synnefo_archipelago import open_store
from synnefo_archipelago.api import Space
from synnefo_archipelago.opening import open_driver

pytestmark = pytest.mark.slow

PROCESSES = 4


@pytest.fixture(params=["file", pytest.param("rados", marks=pytest.mark.full)])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/store"
    return f"rados://{request.getfixturevalue('ceph_conf')}?namespace=p{os.urandom(6).hex()}&timeout_s=20"


def run_all(url: str, code: str, count: int = PROCESSES) -> list[str]:
    """What each of the processes printed. `url` and `number` are set for them; they begin together."""
    prologue = (
        "import sys; url, number = sys.argv[1], int(sys.argv[2])\n"
        "from synnefo_archipelago import *\nfrom synnefo_archipelago.api import *\n"
        "from synnefo_archipelago.errors import *\nfrom synnefo_archipelago.opening import open_driver\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", prologue + code, url]
    running = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=90)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * count
    return answers


def test_store_is_made_once_by_whoever_comes_first(shared_url: str) -> None:
    run_all(shared_url, "driver = open_driver(url); driver.put(Space.CAS, f'{number:064x}', [b'x']); driver.close()")
    driver = open_driver(shared_url)
    assert sorted(driver.iter(Space.CAS)) == [(f"{number:064x}", 1) for number in range(PROCESSES)]
    driver.close()


def test_no_exchange_of_a_record_is_lost_or_wrongly_told_to_be(shared_url: str) -> None:
    """Who sleeps while two others exchange the same record may not learn what became of its own, and is told so."""
    open_driver(shared_url).close()
    turns = 12
    answers = run_all(shared_url, f"""
driver, done, unknown = open_driver(url), 0, 0
while done < {turns}:
    record = driver.read_record(Space.VOLUME, "counter")
    try:
        value = str(int(record.value) + 1) if record else "1"
        driver.cas_record(Space.VOLUME, "counter", record.version if record else 0, value.encode())
    except RecordConflict:
        continue
    except StoreUnavailable:
        unknown += 1
        continue
    done += 1
driver.close()
print(unknown)
""")
    driver = open_driver(shared_url)
    record = driver.read_record(Space.VOLUME, "counter")
    assert record is not None
    assert turns * PROCESSES <= int(record.value) <= turns * PROCESSES + sum(map(int, answers))
    driver.close()


def test_same_upload_by_many_is_stored_once_and_whole(shared_url: str) -> None:
    open_driver(shared_url).close()
    roots = run_all(shared_url, """
import random
data = random.Random(7).randbytes(600_000)
with open_store(url, block_size=65536) as store:
    writer = store.writer(); writer.write(data); print(writer.finish().to_bytes().hex())
""")
    assert len(set(roots)) == 1
    with open_store(shared_url, block_size=65536) as store:
        from synnefo_archipelago import Root

        assert store.read(Root.from_bytes(bytes.fromhex(roots[0])), 0, 600_000) == random.Random(7).randbytes(600_000)
        assert store.stats().blocks == 10


def test_one_process_at_a_time_writes_a_volume(shared_url: str) -> None:
    """Each adds one to a number in the volume, under the lease; none is lost."""
    with open_store(shared_url, block_size=65536) as store:
        store.create_volume("vol", 65536)
    turns = 5
    run_all(shared_url, f"""
import time
with open_store(url, block_size=65536) as store:
    done = 0
    while done < {turns}:
        try:
            volume = store.open_volume("vol", owner=str(number), ttl_s=60)
        except LeaseHeld:
            time.sleep(0.005)
            continue
        with volume:
            value = int.from_bytes(volume.read(100, 8), "big") + 1
            volume.write(100, value.to_bytes(8, "big"))
        done += 1
""")
    with open_store(shared_url, block_size=65536) as store:
        assert int.from_bytes(store.read_volume("vol", 100, 8), "big") == turns * PROCESSES


def test_volume_of_a_killed_process_is_taken_over(shared_url: str) -> None:
    with open_store(shared_url, block_size=65536) as store:
        store.create_volume("vol", 4 * 65536)
    run_all(shared_url, """
import os
store = open_store(url, block_size=65536)
volume = store.open_volume("vol", owner="killed", ttl_s=1)
volume.write(0, b"flushed"); volume.flush(); volume.write(65536, b"not flushed")
print("done", flush=True); os._exit(0)
""", count=1)
    with open_store(shared_url, block_size=65536) as store, store.open_volume("vol", owner="next", force=True) as volume:
        assert volume.read(0, 7) == b"flushed"
        assert volume.read(65536, 11) == bytes(11)
        volume.write(0, b"FLUSHED")
        assert volume.generation == 2
