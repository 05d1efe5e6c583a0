"""Behind a gateway a service's links lead back through it: clients find their endpoints by them."""

from typing import Any

import pytest

import synnefo_image.main
import synnefo_image.settings
import synnefo_network.main
import synnefo_network.settings
import synnefo_volume.main
import synnefo_volume.settings
from synnefo_common.testing import Harness

HEADERS = {"Host": "cloud", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/here"}


@pytest.mark.parametrize(
    ("module", "overrides", "version"),
    [(synnefo_image, {"store_url": "memory:"}, "v2"), (synnefo_volume, {"store_url": "memory:"}, "v3"), (synnefo_network, {}, "v2.0")],
    ids=["image", "volume", "network"],
)
async def test_versions_lead_through_the_gateway(module: Any, overrides: dict[str, Any], version: str) -> None:
    async with Harness(module.main.build, module.settings.Settings, overrides, work=False) as h:
        links = (await h.anonymous().get("/", headers=HEADERS)).json()["versions"][0]["links"]
        assert [link["href"] for link in links if link["rel"] == "self"] == [f"https://cloud/here/{version}/"]
