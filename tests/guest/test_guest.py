"""A guest under QEMU in the full profile, by the APIs alone: it boots from a clone, is reached, and keeps what it wrote.

Emulated (TCG), so that it runs on machines without KVM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from synnefo_local.layout import LocalError
from tests.guest.lab import Cloud, build_image, make_stack, until, why_no_guests

pytestmark = [
    pytest.mark.full,
    pytest.mark.slow,
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the client's own
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if reason := why_no_guests():
        pytest.skip(reason)
    try:
        image = build_image(tmp_path_factory.mktemp("image"))
    except LocalError as error:
        if os.environ.get("SYNNEFO_REQUIRE_FULL") == "1":
            raise
        pytest.skip(f"no guest image: {error}")
    with make_stack() as stack:
        made = Cloud(stack, image)
        yield made
        made.close()


def test_guest_keeps_what_it_wrote_and_a_clone_of_its_snapshot_has_it(cloud: Cloud) -> None:
    guest = cloud.boot("one")
    (port,) = cloud.user.list_ports(filters={"device_id": guest.id})
    assert port.fixed_ips[0]["ip_address"] in guest.run("ip -4 addr show eth0")  # by DHCP: the image knows no address
    assert port.status == "ACTIVE"

    volume = cloud.user.create_volume(1, wait=True)
    cloud.user.attach_volume(cloud.user.get_server_by_id(guest.id), volume, wait=True)
    until(lambda: "vdb" in guest.run("ls /sys/block"), what="the guest sees the second volume")
    guest.write("vda", "on-the-root-disk")
    guest.write("vdb", "on-the-volume")

    snapshot = cloud.user.create_image_snapshot("snapshot", guest.id, wait=True)  # while it runs

    cloud.user.compute.stop_server(guest.id)
    guest.is_status("SHUTOFF")
    cloud.user.compute.start_server(guest.id)
    guest.is_status("ACTIVE")
    guest.answers()
    assert guest.read("vda", 16) == "on-the-root-disk"
    assert guest.read("vdb", 13) == "on-the-volume"
    guest.write("vda", "after-snapshot..")

    source = guest.node()
    sent, answered = guest.migrate()
    print(f"live migration: {sent - answered} of {sent} pings lost, ten a second")
    assert guest.node() != source
    assert answered > 0
    assert guest.read("vdb", 13) == "on-the-volume"
    guest.write("vdb", "of-the-target")  # the target has the volumes' leases
    assert guest.read("vdb", 13) == "of-the-target"
    assert guest.status() == "ACTIVE"

    second = cloud.boot("two", image=snapshot.id)
    assert second.read("vda", 16) == "on-the-root-disk"
    second.write("vda", "of-the-second...")
    assert guest.read("vda", 16) == "after-snapshot.."
    cloud.stack.assert_invariants()
