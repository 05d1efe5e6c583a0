"""Memory stays flat while a large object goes in and out of a running cloud. The figure for 5 GiB is in docs/figures.md."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.perf.cloud import Cloud
from tests.perf.object_store import Watch
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20
SIZE = 384 * MIB
"""Six times what may be used."""


def blocks() -> Iterator[bytes]:
    block = os.urandom(MIB)
    for i in range(SIZE // MIB):
        yield i.to_bytes(8, "big") + block[8:]


def test_memory_is_flat_for_a_large_object() -> None:
    with Stack("embedded", "fake") as stack:
        cloud = Cloud(stack)
        address = stack.url("object").removeprefix("http://")
        pids = [pid for pid in cloud.groups()["cloud"] if pid]

        def send(method: str, path: str, body: Any = None, **headers: str) -> int:
            connection = http.client.HTTPConnection(address)
            connection.request(
                method, f"/v1/AUTH_{cloud.project_id}/{path}", body, cloud.headers | headers, encode_chunked="Transfer-Encoding" in headers
            )
            answer = connection.getresponse()
            size = 0
            while part := answer.read(MIB):
                size += len(part)
            connection.close()
            assert answer.status in (200, 201), answer.status
            return size

        send("PUT", "memory")
        send("PUT", "memory/warm", b"x" * 8 * MIB)
        for how in ({"Content-Length": str(SIZE)}, {"Transfer-Encoding": "chunked"}):
            with Watch(pids) as watch:
                send("PUT", "memory/large", blocks(), **how)
            assert watch.peak_mib < 64
        with Watch(pids) as watch:
            assert send("GET", "memory/large") == SIZE
        assert watch.peak_mib < 64
        cloud.close()
