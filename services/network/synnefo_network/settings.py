"""Section `[network]` of the settings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from synnefo_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """The network service."""

    section: ClassVar[str] = "network"

    base_mac: str = Field(
        "fa:16:3e:00:00:00",
        pattern="^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$",
        description="Prefix of generated MAC addresses: three octets, and of the others those that are not 00.",
    )
    availability_zones: list[str] = Field(default_factory=lambda: ["nova"], min_length=1, description="Availability zones of networks.")
    default_network_type: str = Field("geneve", description="provider:network_type of networks that name none.")
    vlan_ranges: list[str] = Field(
        default_factory=list,
        description="VLANs for networks of type vlan that name none: physical network, first, last, like physnet1:100:199. "
        "On a physical network that is not listed each network must name its VLAN.",
    )
    default_mtu: int = Field(1442, ge=68, le=65535, description="MTU of networks that name none: a physical 1500 less the encapsulation.")
    max_mtu: int = Field(8942, ge=68, le=65535, description="Greatest MTU that a network may ask for.")
    max_fixed_ips_per_port: int = Field(16, ge=1, description="Most addresses that a port may have.")
    max_dns_nameservers: int = Field(5, ge=0, description="Most DNS servers of a subnet.")
    max_host_routes: int = Field(20, ge=0, description="Most host routes of a subnet.")
    max_routes: int = Field(30, ge=0, description="Most extra routes of a router.")
    max_allowed_address_pairs: int = Field(10, ge=0, description="Most allowed address pairs of a port.")
    default_server_networks: list[str | list[str]] = Field(
        default_factory=list,
        description="Networks of a new server that names none: ids, lists of alternatives, or SNF:ANY_PUBLIC_IPV4, SNF:ANY_PUBLIC_IPV6, "
        "SNF:ANY_PUBLIC (external networks). Empty: the project's only network, or else the only shared one.",
    )
    forced_server_networks: list[str | list[str]] = Field(
        default_factory=list, description="Networks that every new server has beside those that it names; written as the default ones."
    )
    agent_down_time_s: float = Field(75.0, gt=0, description="An agent (chassis) not seen for so long is shown as not alive, seconds.")
    orphan_grace_s: float = Field(600.0, description="Age at which a port made with a server that does not exist is deleted, seconds.")
    ovn_northbound: str = Field(
        "", description="OVN's northbound database, like unix:/run/ovn/ovnnb_db.sock or tcp:10.0.0.1:6641, several by commas. Empty: no packets."
    )
    ovn_southbound: str = Field("", description="OVN's southbound database, read for its nodes and where ports are bound.")
    ovn_northd_remote: str = Field(
        "",
        description="Where northd asks for the northbound database, like punix:/run/ovn/northd.sock or ptcp:6643:10.0.0.1: that database is told "
        "to listen there when it has all our rows, so that northd never sees one that has lost them. Empty: northd looks where it likes.",
    )
    ovn_check_s: float = Field(3.0, ge=0, description="How often the nodes are asked for a sign of life, seconds; 0: never.")
    ovn_grace_s: float = Field(4.0, gt=0, description="Time in which a node must give it, seconds; after that its ports are DOWN.")
    dataplane_status_s: float = Field(5.0, gt=0, description="How often the status of all ports is compared, seconds, besides when OVN tells of one.")
    dataplane_compare_s: float = Field(600.0, gt=0, description="How often all rows of the data plane are compared, seconds.")

    @field_validator("vlan_ranges")
    @classmethod
    def _are_ranges(cls, given: list[str]) -> list[str]:
        for text in given:
            physical_network, *ends = text.split(":")
            if not physical_network or len(ends) != 2 or not all(e.isascii() and e.isdigit() for e in ends):
                raise ValueError(f"{text!r} is not of the form physical_network:first:last")
            if not 1 <= int(ends[0]) <= int(ends[1]) <= 4094:
                raise ValueError(f"{text!r}: VLANs are 1 to 4094, the first not above the last")
        return given

    def vlans_of(self, physical_network: str) -> list[int]:
        """The VLANs that networks on the physical network may be given."""
        ranges = [text.split(":") for text in self.vlan_ranges]
        return [vlan for name, first, last in ranges if name == physical_network for vlan in range(int(first), int(last) + 1)]
