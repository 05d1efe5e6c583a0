"""Figures of the object store: bytes, small objects, a long listing, memory; and nginx's WebDAV on the same machine as the yardstick."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.perf import load
from tests.perf.cloud import Cloud
from tests.perf.figures import MIB, Figure, bench
from tests.perf.measure import cpu_s

GIB = 1 << 30
_BYTES = ((64 * MIB, 8), (GIB, 2))
_SMALL = (("PUT", 201), ("GET", 200), ("HEAD", 200), ("DELETE", 204))
_MANY = 1_000_000
_FILL = """
INSERT INTO objects (container_id, name, root, size, etag, content_type, headers, created_us, modified_us, kind, modified_by, versioned)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
SELECT o.container_id, 'many/' || substr(CAST(100000000 + i AS TEXT), 2), o.root, o.size, o.etag, o.content_type, o.headers,
       o.created_us + i, o.modified_us, o.kind, '', 0
FROM n, objects o WHERE o.name = 'seed'
"""


def _name(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB" if size >= MIB else f"{size // 1024} KiB"


Cost = Callable[[Callable[[], Any]], tuple[Any, float]]


def _transfers(who: str, url: str, cost: Cost, headers: dict[str, str]) -> Iterator[Figure]:
    """Large bodies in and out, each new to the store."""
    for size, n in _BYTES:
        load.run(f"{url}/warm-{size}", n=1, clients=1, method="PUT", size=MIB, expect=201, headers=headers)
        for method, expect in (("PUT", 201), ("GET", 200)):
            target, body = (f"{url}/{size}-{{i}}", {"size": size}) if method == "PUT" else (f"{url}/{size}-0", {})
            how: dict[str, Any] = {"n": n, "clients": 1, "method": method, "expect": expect, "headers": headers, **body}
            result, cpu = cost(partial(load.run, target, **how))
            yield Figure(f"{who} {method} {_name(size)}", size * result.rate / 1e6, "MB/s", "", {"CPU s per GiB": cpu * GIB / (size * n)})
        for i in range(n):
            load.run(f"{url}/{size}-{i}", n=1, clients=1, method="DELETE", expect=204, headers=headers)


def _small(who: str, url: str, cost: Cost, headers: dict[str, str]) -> Iterator[Figure]:
    for method, expect in _SMALL:
        how: dict[str, Any] = {"n": 1000, "clients": 4, "method": method, "expect": expect, "headers": headers}
        result, cpu = cost(partial(load.run, f"{url}/1k-{{i}}", **how, size=1024 if method == "PUT" else None))
        yield Figure(f"{who} {method} 1 KiB", result.rate, "ops/s", "", {"CPU ms": cpu, "p50 ms": result.p50, "p99 ms": result.p99})


@bench
def object_store(cloud: Cloud) -> Iterator[Figure]:
    """Bytes and small objects, in the store and in nginx."""
    base = f"{cloud.stack.url('object')}/v1/AUTH_{cloud.project_id}/figures"
    load.run(base, n=1, clients=1, method="PUT", expect=201, headers=cloud.headers)

    def ours(work: Callable[[], Any]) -> tuple[Any, float]:
        result, spent = cloud.cost(work)
        return result, spent["cloud"]

    yield from _transfers("object", base, ours, cloud.headers)
    yield from _small("object", base, ours, cloud.headers)
    yield from _nginx()


def _nginx() -> Iterator[Figure]:
    """The same of nginx, which writes a file and checks nothing; no figures where it is not installed."""
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        return
    with tempfile.TemporaryDirectory(prefix="synnefo-nginx-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        Path(folder, "data").mkdir()
        Path(folder).chmod(0o755)
        config = Path(folder, "nginx.conf")
        config.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr error;\nevents {{}}\n"
            f"http {{ access_log off; client_max_body_size 0; client_body_temp_path {folder}/t1; sendfile on;\n"
            f"proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n"
            f"server {{ listen 127.0.0.1:{port}; root {folder}/data; dav_methods PUT DELETE; create_full_put_path on; }} }}\n"
        )
        with subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-c", str(config)], cwd=folder) as server:
            try:
                _wait_for(port)

                def cost(work: Callable[[], Any]) -> tuple[Any, float]:
                    before = cpu_s([server.pid])
                    return work(), cpu_s([server.pid]) - before

                yield from _transfers("nginx", f"http://127.0.0.1:{port}/figures", cost, {})
                yield from _small("nginx", f"http://127.0.0.1:{port}/figures", cost, {})
            finally:
                server.terminate()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx does not answer")


@bench
def object_writers(cloud: Cloud) -> Iterator[Figure]:
    """PUTs of 1 KiB into one container by ever more writers: they must not wait for each other."""
    base = f"{cloud.stack.url('object')}/v1/AUTH_{cloud.project_id}/writers"
    load.run(base, n=1, clients=1, method="PUT", expect=201, headers=cloud.headers)
    for clients in (1, 4, 16):
        how: dict[str, Any] = {"n": 1000, "clients": clients, "method": "PUT", "size": 1024, "expect": 201, "headers": cloud.headers}
        with LockWatch(cloud) as locks:
            result, cost = cloud.cost(partial(load.run, f"{base}/{clients}-{{i}}", **how))
        seen = {"CPU ms": cost["cloud"], "p50 ms": result.p50, "p99 ms": result.p99, **locks.seen()}
        yield Figure(f"PUT 1 KiB, writers: {clients}", result.rate, "ops/s", "", seen)


@bench
def object_listing(cloud: Cloud) -> Iterator[Figure]:
    """10,000 of 1,000,000 objects, wherever in the container."""
    base = f"{cloud.stack.url('object')}/v1/AUTH_{cloud.project_id}/listing"
    load.run(base, n=1, clients=1, method="PUT", expect=201, headers=cloud.headers)
    load.run(f"{base}/seed", n=1, clients=1, method="PUT", size=1024, expect=201, headers=cloud.headers)
    with cloud.engine("object").begin() as connection:
        connection.execute(text(_FILL.format(last=_MANY - 1)))
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE objects"))
    for where, first in (("first", 0), ("middle", _MANY // 2), ("last", _MANY - 10_001)):
        url = f"{base}?format=json&marker=many/{first:08d}"
        load.run(url, n=1, clients=1, headers=cloud.headers)
        result, cost = cloud.cost(partial(load.run, url, n=5, clients=1, headers=cloud.headers))
        yield Figure(f"listing of 10,000 of 1,000,000, {where}", result.p50, "ms", "", {"CPU ms per 1,000": cost["cloud"] * 1000 / 5 / 10})


@bench
def object_memory(cloud: Cloud) -> Iterator[Figure]:
    """Memory above idle while 5 GiB go in and out."""
    address = cloud.stack.url("object").removeprefix("http://")
    path = f"/v1/AUTH_{cloud.project_id}/memory"
    block = bytearray(os.urandom(MIB))
    size = 5 * GIB

    def body() -> Iterator[bytes]:
        for i in range(size // MIB):
            block[:8] = i.to_bytes(8, "big")
            yield bytes(block)

    def send(method: str, target: str, content: Any = None, headers: dict[str, str] | None = None) -> int:
        connection = http.client.HTTPConnection(address)
        connection.request(method, target, content, cloud.headers | (headers or {}))
        answer = connection.getresponse()
        while answer.read(MIB):
            pass
        connection.close()
        return answer.status

    send("PUT", path)
    for method, how in (("PUT", {"Content-Length": str(size)}), ("GET", {})):
        with Watch([pid for pid in cloud.groups()["cloud"] if pid]) as watch:
            began = time.monotonic()
            send(method, f"{path}/5g", body() if method == "PUT" else None, how)
            seconds = time.monotonic() - began
        yield Figure(f"memory above idle, {method} of 5 GiB", watch.peak_mib, "MiB", "<= 64", {"MB/s": size / seconds / 1e6})
    send("DELETE", f"{path}/5g")


@bench
def object_again(cloud: Cloud) -> Iterator[Figure]:
    """1 GiB that the account has already, offered by its hashmap: what a sync client sends the second time."""
    address = cloud.stack.url("object").removeprefix("http://")
    path = f"/v1/{cloud.project_id}/again"
    block = bytearray(os.urandom(4 * MIB))
    hashes = []

    def body() -> Iterator[bytes]:
        for i in range(GIB // len(block)):
            block[:8] = i.to_bytes(8, "big")
            hashes.append(hashlib.sha256(block).hexdigest())
            yield bytes(block)

    def send(method: str, target: str, content: Any = None, **headers: str) -> int:
        connection = http.client.HTTPConnection(address)
        connection.request(method, target, content, cloud.headers | {"Content-Type": "application/octet-stream"} | headers)
        status = connection.getresponse().status
        connection.close()
        return status

    send("PUT", path)
    began = time.monotonic()
    assert send("PUT", f"{path}/first", body(), **{"Content-Length": str(GIB)}) == 201
    first_s = time.monotonic() - began
    hashmap = json.dumps({"block_hash": "sha256", "block_size": len(block), "bytes": GIB, "hashes": hashes}).encode()
    began = time.monotonic()
    status, cost = cloud.cost(lambda: send("PUT", f"{path}/second?hashmap&format=json", hashmap))
    assert status == 201
    seen = {"bytes sent": len(hashmap), "CPU ms": cost["cloud"] * 1000, "ms the first time": first_s * 1000}
    yield Figure("1 GiB again by hashmap", (time.monotonic() - began) * 1000, "ms", "", seen)


class LockWatch:
    """How many of the service's busy connections to PostgreSQL wait for another transaction, within the block."""

    _QUERY = text(
        "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity "
        "WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"
    )

    def __init__(self, cloud: Cloud) -> None:
        self._engine = cloud.engine("object")
        self._stop = threading.Event()
        self._busy = self._waiting = 0

    def seen(self) -> dict[str, float]:
        return {"waiting for locks %": 100 * self._waiting / self._busy} if self._busy else {}

    def _run(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._stop.wait(0.02):
                busy, waiting = connection.execute(self._QUERY).one()
                self._busy, self._waiting = self._busy + busy, self._waiting + waiting

    def __enter__(self) -> LockWatch:
        self._thread = threading.Thread(target=self._run, daemon=True)
        if self._engine.dialect.name == "postgresql":
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()


class Watch:
    """How much the resident memory of processes grows at most within the block."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._stop = threading.Event()
        self._idle = self._now()
        self.peak_mib = 0.0

    def _now(self) -> float:
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self.peak_mib = max(self.peak_mib, self._now() - self._idle)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
