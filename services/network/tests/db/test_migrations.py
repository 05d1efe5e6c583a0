"""The migrations and the tables in code agree, and rows that are there come through."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

from synnefo_common.db import migrate
from synnefo_network.db import all_tables

_STANDARD = "id, project_id, description, tags, revision, created_at, updated_at"
_VALUES = "'p', '', '', 1, 5, 5"
ROWS = [
    f"INSERT INTO networks ({_STANDARD}, name, admin_state_up, status, shared, is_external, is_default, port_security_enabled, mtu, network_type,"
    f" availability_zone_hints) VALUES ('n', {_VALUES}, 'n', true, 'ACTIVE', true, true, false, true, 1442, 'geneve', '[]')",
    f"INSERT INTO subnets ({_STANDARD}, name, network_id, ip_version, cidr, enable_dhcp, allocation_pools, dns_nameservers, host_routes)"
    f" VALUES ('s', {_VALUES}, 's', 'n', 4, '10.0.0.0/24', true, '[]', '[]', '[]')",
    f"INSERT INTO ports ({_STANDARD}, name, network_id, mac_address, admin_state_up, status, device_id, device_owner, port_security_enabled,"
    " allowed_address_pairs, extra_dhcp_opts, vnic_type, host_id, profile, is_bound, is_server_made)"
    f" VALUES ('q', {_VALUES}, 'q', 'n', 'fa:16:3e:00:00:01', true, 'DOWN', '', '', true, '[]', '[]', 'normal', '', '{{}}', false, false)",
    "INSERT INTO ip_allocations VALUES ('s', '10.0.0.5', 'q')",
    f"INSERT INTO floating_ips ({_STANDARD}, floating_network_id, floating_ip_address, floating_port_id, status)"
    f" VALUES ('f', {_VALUES}, 'n', '10.0.0.5', 'q', 'DOWN')",
    f"INSERT INTO security_groups ({_STANDARD}, name, stateful, is_default) VALUES ('g', {_VALUES}, 'g', true, false)",
    f"INSERT INTO security_group_rules ({_STANDARD}, security_group_id, direction, ethertype, fingerprint, is_charged)"
    f" VALUES ('r', {_VALUES}, 'g', 'egress', 'IPv4', 'x', true)",
    "INSERT INTO port_security_groups VALUES ('q', 'g')",
]


def test_upgrade_leaves_no_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/network.db"
    migrate.upgrade(url, "synnefo_network")
    assert migrate.drift(url, all_tables()) == []
    assert migrate.current(url) == migrate.head("synnefo_network")


def test_rows_of_the_first_revision_come_through(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/network.db"
    migrate.upgrade(url, "synnefo_network")
    migrate.downgrade(url, "synnefo_network", "0001")
    engine = create_engine(url)
    with engine.begin() as connection:
        for row in ROWS:
            connection.execute(text(row))
    migrate.upgrade(url, "synnefo_network")
    with engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys=ON"))
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("SELECT subnet_id, ip_address, port_id FROM ip_allocations")).all() == [("s", "10.0.0.5", "q")]
        assert connection.execute(text("SELECT port_id, security_group_id FROM port_security_groups")).all() == [("q", "g")]
        assert connection.execute(text("SELECT id, port_id FROM floating_ips")).all() == [("f", None)]
        assert connection.execute(text("SELECT id FROM security_group_rules")).all() == [("r",)]
        assert connection.execute(text("SELECT count(*) FROM default_security_group_rules")).scalar() == 4
        assert connection.execute(text("SELECT object_type, object_id, action, target_project FROM rbac_policies ORDER BY action")).all() == [
            ("network", "n", "access_as_external", "*"),
            ("network", "n", "access_as_shared", "*"),
        ]
        assert not any(connection.execute(text("SELECT is_charged FROM rbac_policies")).scalars())
    engine.dispose()
