"""A worker process without an API can be asked how it is."""

import httpx

from synnefo_common.testing import Harness
from synnefo_compute.main import build
from synnefo_compute.settings import Settings
from tests.stack import free_port_base


async def test_a_worker_shows_health_and_metrics_on_its_port() -> None:
    port = free_port_base()
    async with Harness(build, Settings, {"worker_port": port}) as h, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).json() == {"status": "ok", "reasons": []}
            metrics = (await client.get("/metrics")).text
            assert "# TYPE synnefo_reconcile_drift gauge" in metrics
            assert 'synnefo_database_up{service="compute"}' not in metrics  # the state is the API's to show
            assert (await client.get("/v2.1/servers")).status_code == 404
        finally:
            await h.service.stop()
