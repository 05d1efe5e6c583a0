"""A page of a listing costs a page, wherever in however many objects it lies."""

import time

import pytest
from sqlalchemy import TextClause, text

from synnefo_common.db import UnitOfWork
from synnefo_common.db.recorder import record_queries
from synnefo_common.testing import Harness
from synnefo_object.main import build
from synnefo_object.settings import Settings

A = f"/v1/AUTH_{Harness.project_id}"
_FILL = """
    INSERT INTO {table} (container_id, name, root, size, etag, content_type, headers, created_us, modified_us, kind, modified_by, versioned{more})
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119999)
    SELECT o.container_id, 'f' || substr(CAST(1000000 + i AS TEXT), 2, 3) || '/' || substr(CAST(1000000 + i AS TEXT), 2), o.root, 1, o.etag,
           o.content_type, o.headers, o.created_us + i, o.modified_us, o.kind, '', 0{value} FROM n, objects o WHERE o.name = 'seed'
"""


def fill(table: str) -> TextClause:
    more = {"objects": ("", ""), "versions": (", replaced_us", ", o.created_us + i + 1")}[table]
    return text(_FILL.format(table=table, more=more[0], value=more[1]))


@pytest.mark.slow
async def test_page_costs_the_same_everywhere(database_url: str) -> None:
    overrides = {"store_url": "memory:", "expirer_period_s": 3600.0, "usage_period_s": 3600.0}
    async with Harness(build, Settings, overrides, database_url=database_url, work=False) as h:
        me = h.as_member()
        await me.put(f"{A}/c", headers={"X-Versions-Enabled": "true"})
        await me.put(f"{A}/c/seed", content=b"x")

        async def work(uow: UnitOfWork) -> None:
            for table in ("versions", "objects"):  # while there is one row to copy
                await uow.run(fill(table))

        await h.db.run(work)
        for kind, limit, most in (("", 1000, 2), ("&delimiter=/", 20, 2), ("&versions", 1000, 2), ("&versions&delimiter=/", 20, 3)):
            took = []
            for marker in ("", "f060/060000", "f117/117500"):
                best = 9.0
                for _ in range(3):
                    began = time.process_time()
                    with record_queries(h.db) as queries:
                        r = await me.get(f"{A}/c?format=json&limit={limit}&marker={marker}{kind}")
                    best = min(best, time.process_time() - began)
                    assert (r.status_code, queries.count <= most) == (200, True), (kind, queries.count)
                    assert len(r.json()) >= min(limit, 2)
                took.append(best)
            assert max(took) < 5 * min(took) + 0.02, (kind, took)
