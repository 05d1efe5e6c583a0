"""Checks of opcode parameters, as strict as Ganeti's own (its `ht` module).

For: saying whether a JSON value may stand for a parameter. Not for: names and states, which a job finds out.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

DISK_TEMPLATES = ("sharedfile", "diskless", "ext", "drbd", "blockdev", "plain", "file", "gluster", "rbd")
HYPERVISORS = ("fake", "xen-hvm", "lxc", "kvm", "chroot", "xen-pvm")
NIC_KEYS = ("network", "mac", "vlan", "ip", "bridge", "link", "mode", "name")
MODIFICATIONS = ("add", "detach", "remove", "modify", "attach")
FINAL_STATES = ("canceled", "error", "success")


def is_string(value: Any) -> bool:
    return isinstance(value, str)


def is_non_empty_string(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_non_negative(value: Any) -> bool:
    return is_int(value) and value >= 0


def is_positive(value: Any) -> bool:
    return is_int(value) and value > 0


def is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def is_list(value: Any) -> bool:
    return isinstance(value, list)


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def one_of(*allowed: Any) -> Check:
    return lambda value: isinstance(value, str | int) and not isinstance(value, bool) and value in allowed


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def dict_of(key: Check, item: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(key(k) and item(v) for k, v in value.items())


def both(first: Check, second: Check) -> Check:
    return lambda value: first(value) and second(value)


def below(limit: int) -> Check:
    return lambda value: is_int(value) and value < limit


is_nic = dict_of(one_of(*NIC_KEYS), maybe(is_string))
is_disk = dict_of(is_non_empty_string, lambda value: is_non_empty_string(value) or is_int(value))


def is_modification_list(settings: Check) -> Check:
    """`[[op, index or name, settings]]`, or the older `[[op or index, settings]]`."""

    def is_new_style(item: Any) -> bool:
        return (
            isinstance(item, list) and len(item) == 3 and item[0] in MODIFICATIONS and (is_int(item[1]) or is_string(item[1])) and settings(item[2])
        )

    def is_old_style(item: Any) -> bool:
        return (
            isinstance(item, list)
            and len(item) == 2
            and (item[0] in ("detach", "attach", "add", "remove") or is_non_negative(item[0]))
            and settings(item[1])
        )

    def check(value: Any) -> bool:
        if not isinstance(value, list):
            return False
        return all(map(is_new_style, value)) or all(map(is_old_style, value))

    return check


def is_dependency_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, list)
        and len(item) == 2
        and is_int(item[0])
        and isinstance(item[1], list)
        and all(state in FINAL_STATES for state in item[1])
        for item in value
    )


def is_ipv4_address(value: Any) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return isinstance(value, str)


def is_ipv4_network(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9.]+/[0-9]+", value):
        return False
    try:
        ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        return False
    return True


def is_ipv6_network(value: Any) -> bool:
    try:
        ipaddress.IPv6Network(value, strict=False)
    except ValueError:
        return False
    return isinstance(value, str)


def is_ipv6_address(value: Any) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return isinstance(value, str)
