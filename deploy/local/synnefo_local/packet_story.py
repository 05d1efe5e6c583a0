"""What the story adds where networks carry packets: each promise is a command that sends some.

A namespace behind the server's port stands in for it, because Ganeti's hypervisor `fake` runs no guest.
"""

from synnefo_local.story import NET, Answer, Step, Walk, demand, has, note_address

IN_GUEST = "ip netns exec {guest} "
OUTSIDE = "ip netns exec {outside} "
LOST = "100% packet loss"
SIX = "fd00:20::"


def note_port(walk: Walk, answer: Answer) -> str:
    (port,) = [row for row in answer.json if NET in str(row["Fixed IP Addresses"])]
    walk.names |= {"port": port["ID"], "mac": port["MAC Address"]}
    return f"port {port['ID']}, {port['MAC Address']}"


def note_guest(name: str, prefix: str = NET) -> Step:
    """The stand-in's namespace becomes `{name}`."""

    def check(walk: Walk, answer: Answer) -> str:
        walk.names[name] = answer.out.strip()
        return walk.names[name]

    return Step("a stand-in for the server", f"{{lab}} attach 1 {{{prefix}port}} {{{prefix}mac}}", check)


def note_made(prefix: str) -> Step:
    """The port just made becomes `{prefix}port` and `{prefix}mac`."""

    def check(walk: Walk, answer: Answer) -> str:
        walk.names |= {f"{prefix}port": answer.json["id"], f"{prefix}mac": answer.json["mac_address"]}
        (address,) = [fixed["ip_address"] for fixed in answer.json["fixed_ips"]]
        walk.names[f"{prefix}address"] = address
        return str(address)

    cloud = "--os-cloud alt_demo " if prefix == "alt_" else ""
    fixed = f"--fixed-ip ip-address={NET}77 " if prefix == "alt_" else ""
    network = {"alt_": "{p}-alt", "six_": "{p}-six"}[prefix]
    return Step("a port", f"openstack {cloud}port create --network {network} {fixed}-f json {{p}}-{prefix}port", check)


def leased(walk: Walk, answer: Answer) -> str:
    lines = [line for line in (answer.out + answer.err).splitlines() if "lease of" in line]
    demand(lines and NET in lines[-1], f"no lease: {answer.out}{answer.err}")
    return lines[-1].strip()


def answered(_: Walk, answer: Answer) -> str:
    return next(line for line in answer.out.splitlines() if "packet loss" in line)


def has_slaac(walk: Walk, answer: Answer) -> str:
    demand(f"{walk.names['six_address']}/64" in answer.out, "the address of the API is not on the interface")
    return f"{walk.names['six_address']} by SLAAC"


PACKETS = (
    Step("router", "openstack router create -f json {p}-router", has("status", "ACTIVE")),
    Step("to the outside", "openstack router set --external-gateway public {p}-router"),
    Step("to the network", "openstack router add subnet {p}-router {p}-subnet"),
    Step("the server's port", "openstack port list --server {p}-server -f json --long", note_port),
    Step("floating IP", "openstack floating ip create --port {port} -f json public", note_address),
    note_guest("guest", ""),
    Step("plugged", "openstack port show {port} -f json", has("status", "ACTIVE"), eventually=True),
    Step("its address by DHCP", IN_GUEST + "udhcpc -i eth0 -f -q -n -t 5 -s {dir}/udhcpc", leased, eventually=True),
    Step("the outside from inside", IN_GUEST + "ping -c2 -i0.3 -W1 198.51.100.1", answered, eventually=True),
    Step("no rule lets echo requests in", OUTSIDE + "ping -c2 -i0.3 -W1 {floating_ip}", refused=LOST),
    Step("allow them", "openstack security group rule create --protocol icmp {p}-ssh"),
    Step("the floating IP from outside", OUTSIDE + "ping -c2 -i0.3 -W1 {floating_ip}", answered, eventually=True),
    Step("serve", IN_GUEST + 'sh -c "timeout 90 nc -lk 0.0.0.0 80 >/dev/null 2>&1 & echo listening"'),
    Step("no rule lets TCP port 80 in", OUTSIDE + "nc -zvw2 {floating_ip} 80", refused="timed out"),
    Step("allow it", "openstack security group rule create --protocol tcp --dst-port 80 {p}-ssh"),
    Step("TCP port 80 from outside", OUTSIDE + "nc -zvw2 {floating_ip} 80", eventually=True),
    Step("a source that is not its own", IN_GUEST + f"ip addr add {NET}250/24 dev eth0"),
    Step("is dropped", IN_GUEST + f"ping -c2 -i0.3 -W1 -I {NET}250 198.51.100.1", refused=LOST),
    Step("the other tenant's network", "openstack --os-cloud alt_demo network create {p}-alt"),
    Step("of the same range", f"openstack --os-cloud alt_demo subnet create --network {{p}}-alt --subnet-range {NET}0/24 {{p}}-alt-subnet"),
    note_made("alt_"),
    note_guest("alt_guest", "alt_"),
    Step("is another network", IN_GUEST + "ping -c2 -i0.3 -W1 {alt_address}", refused=LOST),
    Step("network for IPv6", "openstack network create {p}-six"),
    Step(
        "by SLAAC",
        f"openstack subnet create --network {{p}}-six --ip-version 6 --ipv6-ra-mode slaac --ipv6-address-mode slaac "
        f"--subnet-range {SIX}/64 {{p}}-six-subnet",
    ),
    Step("on the router", "openstack router add subnet {p}-router {p}-six-subnet"),
    note_made("six_"),
    note_guest("six_guest", "six_"),
    Step("its own address", "ip netns exec {six_guest} ip -6 addr show dev eth0", has_slaac, eventually=True),
    Step("the router by IPv6", f"ip netns exec {{six_guest}} ping -6 -c2 -i0.3 -W1 {SIX}1", answered, eventually=True),
    Step("unplug", "{lab} detach {port}"),
    Step("unplug", "{lab} detach {alt_port}"),
    Step("unplug", "{lab} detach {six_port}"),
    Step("unplugged", "openstack port show {port} -f json", has("status", "DOWN"), eventually=True),
    Step("release the floating IP", "openstack floating ip delete {floating_ip}"),
    Step("delete ports", "openstack port delete {six_port}"),
    Step("delete ports", "openstack --os-cloud alt_demo port delete {alt_port}"),
    Step("delete the other network", "openstack --os-cloud alt_demo network delete {p}-alt"),
    Step("take the router away", "openstack router remove subnet {p}-router {p}-subnet"),
    Step("take the router away", "openstack router remove subnet {p}-router {p}-six-subnet"),
    Step("delete router", "openstack router delete {p}-router"),
    Step("delete network", "openstack network delete {p}-six"),
)
