"""Arithmetic of addresses, pools and MACs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo_network.domain.addresses import (
    default_pools,
    draw_address,
    eui64,
    make_mac,
    parse_cidr,
    parse_ip,
    parse_mac,
    pool_size,
    pools_hold,
)
from synnefo_network.domain.errors import InvalidInput


@given(st.integers(16, 30), st.integers(0, 2**32 - 1))
def test_default_pools_are_all_hosts_but_the_gateway(length: int, start: int) -> None:
    prefix = parse_cidr(f"{parse_ip('0.0.0.0') + start}/{length}")
    gateway = prefix.network_address + 1
    pools = default_pools(prefix, gateway)
    assert pool_size(pools) == prefix.num_addresses - 3
    assert not pools_hold(pools, gateway) and not pools_hold(pools, prefix.broadcast_address)


def test_draw_finds_the_last_free_address_and_then_none() -> None:
    pools = [{"start": "10.0.0.2", "end": "10.0.0.4"}, {"start": "10.0.0.9", "end": "10.0.0.9"}]
    source = random.Random(1)
    taken: set[str] = set()
    while (address := draw_address(pools, 4, avoid=taken, random=source.random)) is not None:
        assert address not in taken
        taken.add(address)
    assert taken == {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.9"}


def test_draw_from_a_v6_prefix() -> None:
    pools = default_pools(parse_cidr("fd00::/64"), parse_ip("fd00::1"))
    address = draw_address(pools, 6, avoid=(), random=random.Random(1).random)
    assert address is not None and parse_ip(address) in parse_cidr("fd00::/64")


def test_mac_keeps_the_base_and_draws_the_rest() -> None:
    macs = {make_mac("fa:16:3e:00:00:00", random.Random(i).random) for i in range(200)}
    assert len(macs) == 200 and all(m.startswith("fa:16:3e:") and parse_mac(m) == m for m in macs)
    assert make_mac("fa:16:3e:4f:00:00", random.Random(1).random).startswith("fa:16:3e:4f:")


@pytest.mark.parametrize("text", ["", "x", "01:00:00:00:00:01", "00:00:00:00:00:00", "fa:16:3e:00:00", "fa:16:3e:00:00:0g"])
def test_what_is_no_unicast_mac_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_mac(text)


@pytest.mark.parametrize("text", ["", "10.0.0.0", "10.0.0.0/33", "fe80::%eth0/64", "x/8", "10.0.0/8", "1" * 1000])
def test_what_is_no_cidr_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_cidr(text)


def test_eui64_flips_the_local_bit() -> None:
    assert eui64(parse_cidr("2001:db8::/64"), "fa:16:3e:01:02:03") == "2001:db8::f816:3eff:fe01:203"
