"""The full profile hurt: every process killed, the broker away, identity away; and the embedded one without Ganeti.

Promised: what was answered 2xx happens, once; nothing is leaked; reads go on; no answer is a 500.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from tests.people import Person, assert_soon_clean, fake_instances, wait_for
from tests.stack import Stack, why_not

from synnefo_local import infra
from synnefo_local.layout import SERVICES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

SETTLED_S = 120
REVOCATION_AGE_S = 4
READS = (
    ("identity", "/v3/auth/projects"), ("compute", "/v2.1/servers/detail"), ("network", "/v2.0/ports"), ("image", "/v2/images"),
    ("volume", "/v3/{project}/volumes/detail"), ("object", "/v1/AUTH_{project}"),
)  # fmt: skip


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """PostgreSQL, RabbitMQ, RADOS and fourteen processes of ours."""
    if reason := why_not("full", "fake"):
        pytest.skip(reason)
    with Stack("full", "fake") as running:
        yield running


@pytest.fixture
def demo(stack: Stack) -> Iterator[Person]:
    with Person(stack, "demo") as person:
        yield person


@pytest.fixture
def admin(stack: Stack) -> Iterator[Person]:
    with Person(stack, "admin") as person:
        yield person


def unread(person: Person) -> dict[str, int | None]:
    """The services that do not answer a read, with the status or None."""
    found: dict[str, int | None] = {}
    for service, path in READS:
        answer = person.call(service, "GET", path.format(project=person.project_id))
        if answer is None or not answer.is_success:
            found[service] = answer.status_code if answer is not None else None
    return found


def settled(person: Person) -> bool:
    return all(server["status"] in ("ACTIVE", "ERROR") for server in person.servers().values())


@pytest.mark.full
def test_each_process_is_killed_while_servers_come_and_go(stack: Stack, demo: Person, admin: Person) -> None:
    # A deletion may wait behind a job whose submission is in doubt, for as long as that can still be on its way to Ganeti.
    room = {"quota_set": {"instances": 50, "cores": 50, "ram": 50 * 1024}}
    admin.json("compute", "PUT", f"/v2.1/os-quota-sets/{demo.project_id}", room)
    image, network = demo.image(), demo.make_network()
    before = admin.usage()
    accepted: set[str] = set()
    deleted: set[str] = set()
    unanswered = 0
    for n, service in enumerate(SERVICES):
        for victims in ([f"{service}-worker"], [service]):
            answer = demo.boot(f"server-{n}-{victims[0]}", image, network)
            if deletable := sorted(accepted - deleted):
                gone = demo.call("compute", "DELETE", f"/v2.1/servers/{deletable[0]}")
                if gone is not None and gone.status_code == 204:
                    deleted.add(deletable[0])
            for victim in victims:
                stack.kill(victim)
            if answer is not None and answer.status_code == 202:
                accepted.add(answer.json()["server"]["id"])
            else:
                assert answer is None or answer.status_code == 503, answer.text
                unanswered += 1
        stack.start()
    assert len(accepted) >= len(SERVICES), f"only {len(accepted)} servers were accepted"

    wait_for(lambda: settled(demo) and not deleted & set(demo.servers()), SETTLED_S, "every server in a final state")
    found = demo.servers()
    assert accepted - deleted <= set(found), "an accepted server is gone"
    assert len(found) <= len(accepted - deleted) + unanswered, "one request made more than one server"
    for server in found.values():
        assert server["status"] == "ACTIVE", server.get("fault")
    assert fake_instances(stack) == sorted(f"snf-{server_id}" for server_id in found)
    assert_soon_clean(stack)

    demo.delete_all_servers()
    wait_for(lambda: admin.usage() == before, 60, "the quota is back")
    assert fake_instances(stack) == []
    assert_soon_clean(stack)


@pytest.mark.full
def test_without_the_broker_reads_work_and_writes_are_kept(stack: Stack, demo: Person) -> None:
    image, network = demo.image(), demo.make_network("10.8.0.0/24")
    old = demo.boot("old", image, network)
    assert old is not None and old.status_code == 202, old
    wait_for(lambda: settled(demo), SETTLED_S, "the first server is there")

    pid = infra.infra_pids(stack.layout)["rabbitmq"][0]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        assert unread(demo) == {}
        time.sleep(0.5)
    new = demo.boot("new", image, network)
    assert new is not None and new.status_code == 202, new
    gone = demo.call("compute", "DELETE", f"/v2.1/servers/{old.json()['server']['id']}")
    assert gone is not None and gone.status_code == 204, gone
    volume = {"volume": {"size": 1, "name": "while the broker was away"}}
    volume_id = demo.json("volume", "POST", f"/v3/{demo.project_id}/volumes", volume)["volume"]["id"]
    extra = demo.json("network", "POST", "/v2.0/networks", {"network": {"name": "extra"}})["network"]["id"]

    stack.start()
    wait_for(lambda: settled(demo) and len(demo.servers()) == 1, SETTLED_S, "what was accepted has happened")
    assert [(s["name"], s["status"]) for s in demo.servers().values()] == [("new", "ACTIVE")]
    path = f"/v3/{demo.project_id}/volumes/{volume_id}"
    assert demo.json("volume", "GET", path)["volume"]["status"] == "available"
    demo.delete_all_servers()
    demo.json("volume", "DELETE", path)
    demo.json("network", "DELETE", f"/v2.0/networks/{extra}")
    assert_soon_clean(stack)


@pytest.mark.full
def test_without_identity_known_tokens_go_on_for_a_while_and_then_wait(stack: Stack, demo: Person) -> None:
    """The network service alone is given a short age of its revocation log, so that the test need not last a minute.

    It keeps it: this is the last test of this cloud.
    """
    stack.kill("network")
    stack.start(env={"SYNNEFO_COMMON_REVOCATION_MAX_AGE_S": str(REVOCATION_AGE_S)})
    assert unread(demo) == {}
    stack.kill("identity")
    began = time.monotonic()
    statuses: list[tuple[float, int]] = []

    def refused() -> bool:
        answer = demo.call("network", "GET", "/v2.0/networks")
        assert answer is not None
        statuses.append((time.monotonic() - began, answer.status_code))
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
        return answer.status_code == 503

    assert not refused(), "a token that was verified is refused at once"
    # The log is as old as its last answer, which may be a long poll's length before the kill.
    wait_for(refused, REVOCATION_AGE_S + 10, "503 when the log is too old")
    assert {status for _, status in statuses} == {200, 503}, statuses
    assert unread(demo) == {"identity": None, "network": 503}
    stack.start()
    wait_for(lambda: not unread(demo), 30, "all answer again")
    assert_soon_clean(stack)


def test_without_ganeti_all_but_jobs_goes_on() -> None:
    with Stack("embedded") as stack, Person(stack, "demo") as demo:
        image, network = demo.image(), demo.make_network()
        first = demo.boot("first", image, network)
        assert first is not None and first.status_code == 202
        wait_for(lambda: settled(demo), SETTLED_S, "the first server is there")
        server = f"/v2.1/servers/{first.json()['server']['id']}"

        stack.kill("ganeti")
        assert unread(demo) == {}
        stop = demo.call("compute", "POST", f"{server}/action", {"os-stop": None})
        assert stop is not None and stop.status_code == 202, stop
        second = demo.boot("second", image, network)
        assert second is not None and second.status_code == 202, second
        demo.json("network", "POST", "/v2.0/networks", {"network": {"name": "extra"}})
        volume = demo.json("volume", "POST", f"/v3/{demo.project_id}/volumes", {"volume": {"size": 1}})["volume"]["id"]
        path = f"/v3/{demo.project_id}/volumes/{volume}"
        wait_for(lambda: demo.json("volume", "GET", path)["volume"]["status"] == "available", 20, "a volume")
        time.sleep(3)  # the dispatcher has noticed
        assert unread(demo) == {}
        assert demo.json("compute", "GET", server)["server"]["status"] == "ACTIVE", "a job that cannot have run"

        stack.start()
        wait_for(lambda: {s["name"]: s["status"] for s in demo.servers().values()} == {"first": "SHUTOFF", "second": "ACTIVE"},
                 SETTLED_S, "both jobs done")  # fmt: skip
        demo.delete_all_servers()
        demo.json("volume", "DELETE", path)
        assert_soon_clean(stack)
