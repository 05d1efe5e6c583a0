"""What the auditor is told of the object store."""

from services.object.tests.pithos import S
from sqlalchemy import delete, insert

from synnefo_common.testing import Harness
from synnefo_object.db.counters import counters


async def differing(h: Harness) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await h.as_admin().get("/admin/v1/audit")).json()["counters_differ"]
    return found


async def test_container_whose_counter_is_wrong_is_named(h: Harness) -> None:
    me = h.as_member()
    for name in ("c", "d"):
        assert (await me.put(f"{S}/{name}")).status_code == 201
    for name in ("c/1", "c/2", "d/1"):
        assert (await me.put(f"{S}/{name}", content=b"x")).status_code == 201
    assert (await me.delete(f"{S}/c/2")).status_code == 204
    assert await differing(h) == []
    async with h.service.kit.db.begin() as uow:
        await uow.run(insert(counters).values(owner=1, shard=99, containers=0, objects=6, bytes=0, changed_us=0))
    assert await differing(h) == [{"container": f"{h.project_id}/c", "counted": 7, "listed": 1}]
    async with h.service.kit.db.begin() as uow:
        await uow.run(delete(counters).where(counters.c.shard == 99))
