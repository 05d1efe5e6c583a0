"""Real processes die at the crash points that a server's creation and deletion pass, and are started again.

In process (`test_cloud`) every change is tried at all points; with PostgreSQL, RabbitMQ and a process per service a few of
each service are, and all of them by night.
"""

import os
import time
from collections.abc import Iterator

import pytest
from tests.crash.test_cloud import points_of
from tests.fleet import Fleet
from tests.people import Person, assert_soon_clean, fake_instances, wait_for
from tests.stack import Stack, why_not

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.xdist_group("stack"), pytest.mark.timeout(7200)]

PROFILES = [pytest.param("embedded", id="embedded"), pytest.param("full", id="full")]
IS_NIGHT = os.environ.get("SYNNEFO_NIGHT") == "1"
EVERY = 1 if IS_NIGHT else 9
DIES_WITHIN_S = 30
SETTLES_WITHIN_S = 120


@pytest.fixture(scope="module", params=PROFILES)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    if reason := why_not(request.param, "fake"):
        pytest.skip(reason)
    with Stack(request.param, "fake", has_crashpoints=True) as running:
        yield running


def down(stack: Stack) -> list[str]:
    return [name for name, pid in stack.processes().items() if pid is None]


def die_and_come_back(stack: Stack, point: str) -> None:
    """The point was armed before the request; some process dies there."""
    wait_for(lambda: not stack.crashpoint_file.exists(), DIES_WITHIN_S, f"the passage of {point}")
    wait_for(lambda: down(stack), 10, f"the death at {point}")
    stack.start()


def create(stack: Stack, demo: Person, point: str, image: str, network: str) -> None:
    stack.crashpoint_file.write_text(point)
    demo.boot("s", image, network)
    die_and_come_back(stack, point)
    assert len(demo.servers()) <= 1, "one request made more than one server"
    wait_for(lambda: all(s["status"] in ("ACTIVE", "ERROR") for s in demo.servers().values()), SETTLES_WITHIN_S, "a final state")
    for server in demo.servers().values():
        assert server["status"] == "ACTIVE", server.get("fault")
    demo.delete_all_servers()


def remove(stack: Stack, demo: Person, point: str, image: str, network: str) -> None:
    answer = demo.boot("s", image, network)
    assert answer is not None and answer.status_code == 202, answer
    server_id = answer.json()["server"]["id"]
    wait_for(lambda: demo.servers()[server_id]["status"] == "ACTIVE", SETTLES_WITHIN_S, "a server")
    stack.crashpoint_file.write_text(point)
    demo.call("compute", "DELETE", f"/v2.1/servers/{server_id}")
    die_and_come_back(stack, point)
    demo.delete_all_servers()


@pytest.mark.parametrize(("phase", "act"), [("create", create), ("delete", remove)])
async def test_a_process_dies_at_a_point_of_a_servers_life_and_nothing_is_lost_or_leaked(stack: Stack, phase: str, act: object) -> None:
    async with Fleet() as fleet:
        points = (await points_of(fleet, phase))[::EVERY]
    failures = []
    with Person(stack, "demo") as demo, Person(stack, "admin") as admin:
        image, network = demo.image(), demo.make_network()
        before = admin.usage()
        for point in points:
            began = time.monotonic()
            try:
                act(stack, demo, point, image, network)  # type: ignore[operator]
                assert fake_instances(stack) == [], "instances are left"
                assert_soon_clean(stack)
            except (AssertionError, RuntimeError) as error:
                failures.append(f"{phase} at {point}: {error}"[:800])
                stack.crashpoint_file.unlink(missing_ok=True)
                stack.start()
                demo.delete_all_servers()
            print(f"{point}: {time.monotonic() - began:.1f} s")
        assert not failures, "\n".join(failures)
        wait_for(lambda: admin.usage() == before, 30, "the quota is back")
        demo.json("network", "DELETE", f"/v2.0/networks/{network}")
