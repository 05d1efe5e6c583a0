"""What the collector is told of pools: all of one, or nothing."""

from pathlib import Path
from typing import Any

import pytest

from synnefo_common.settings import SettingsError
from synnefo_common.testing import Harness
from synnefo_object.app.stores import open_stores
from synnefo_object.main import build
from synnefo_object.settings import Settings

A = f"/v1/AUTH_{Harness.project_id}"


def settings(tmp_path: Path, **second: Any) -> dict[str, Any]:
    policies = [{"name": "gold", "default": True}, {"store_url": f"file://{tmp_path}/cold", **second}]
    return {"store_url": f"file://{tmp_path}/store", "policies": policies}


async def told(h: Harness, pool: str) -> int:
    """How many roots; -1 if the answer is refused."""
    answer = await h.internal().get("/internal/v1/roots", params={"epoch": "1", "pool": pool})
    return len(answer.json()["roots"]) if answer.status_code == 200 else -1


async def test_pool_that_lost_its_name_is_never_told_as_empty(tmp_path: Path, database_url: str) -> None:
    """Else a collection of the renamed pool, or of any, would take all of it for garbage."""
    database = database_url if database_url.startswith("postgres") else f"sqlite:///{tmp_path}/db"
    async with Harness(build, Settings, settings(tmp_path, name="cold"), database_url=database) as h:
        me = h.as_member()
        for container, policy in (("warm", "gold"), ("cold", "cold")):
            assert (await me.put(f"{A}/{container}", headers={"X-Storage-Policy": policy})).status_code == 201
            assert (await me.put(f"{A}/{container}/o", content=b"data")).status_code == 201
        assert (await told(h, ""), await told(h, "cold"), await told(h, "frosty")) == (1, 1, -1)
    renamed = Settings.model_validate(settings(tmp_path, name="frosty"))
    with pytest.raises(SettingsError, match="'cold', not of 'frosty'"):  # the store knows whose it is
        open_stores(renamed.storage_policies(), renamed.store_url, threads=1)
    elsewhere = settings(tmp_path, name="frosty")
    elsewhere["policies"][-1]["store_url"] += "-elsewhere"
    async with Harness(build, Settings, elsewhere, database_url=database) as h:
        assert (await told(h, ""), await told(h, "frosty")) == (-1, -1)
    async with Harness(build, Settings, settings(tmp_path, name="frosty", aliases=["cold"]), database_url=database) as h:
        assert (await told(h, ""), await told(h, "frosty")) == (1, 1)
        assert (await h.as_member().get(f"{A}/cold/o")).content == b"data"
        assert (await h.as_member().head(f"{A}/cold")).headers["x-storage-policy"] == "frosty"
