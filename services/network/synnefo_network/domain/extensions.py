"""The extensions that this service implements.

Clients switch features on by this list: an alias is here only when it works.
"""

from __future__ import annotations

_TAGGED = "network, subnet, port, security_group, floatingip, router, address_scope, subnetpool, address_group, policy"
_TABLE = """
address-group | Address group | 2020-07-15 | Groups of addresses for security group rules.
address-scope | Address scope | 2015-07-26 | Subnet pools of one scope do not overlap.
agent | agent | 2013-02-03 | The chassis of the data plane, for administrators.
allowed-address-pairs | Allowed Address Pairs | 2013-07-23 | Addresses that a port may use beside its own.
auto-allocated-topology | Auto Allocated Topology Services | 2016-01-01 | A network for who asks for one and says no more.
availability_zone | Availability Zone | 2015-01-01 | The availability zones of networks.
availability_zone_filter | Availability Zone Filter Extension | 2018-06-22 | Availability zones can be filtered.
binding | Port Binding | 2014-02-03 | Where a port is bound, for administrators.
default-subnetpools | Default Subnetpools | 2016-02-18 | A subnet can be from the default pool.
dvr | Distributed Virtual Router | 2014-06-01 | Routers show whether they are distributed.
empty-string-filtering | Empty String Filtering Extension | 2018-05-01 | A filter may ask for the empty string.
expose-port-forwarding-in-fip | Expose Port Forwarding in FIP | 2018-08-20 | A floating IP shows its port forwardings.
ext-gw-mode | Neutron L3 Configurable external gateway mode | 2013-03-28 | Source NAT of a router can be switched off.
external-net | Neutron external network | 2013-01-14 | Networks that lead outside, for floating IPs.
extra_dhcp_opt | Neutron Extra DHCP options | 2013-03-17 | DHCP options of a port.
extraroute | Neutron Extra Route | 2013-02-01 | Routes of a router beside those to its subnets.
extraroute-atomic | Atomically add/remove extra routes | 2019-07-10 | Routes can be added and removed one by one.
filter-validation | Filter parameters validation | 2018-07-04 | An unknown filter is an error.
fip-pf-description | Port Forwarding support description | 2020-09-01 | Port forwardings have a description.
fip-port-details | Floating IP Port Details Extension | 2018-04-09 | A floating IP shows the port that it is associated with.
floating-ip-port-forwarding-detail | Floating IP Port Forwarding Detail | 2022-05-11 | A floating IP shows the ids of its port forwardings.
floating-ip-port-forwarding | Floating IP Port Forwarding | 2018-05-22 | Single ports of a floating IP lead to ports of several hosts.
ip-substring-filtering | IP address substring filtering | 2017-11-28 | Ports can be found by a part of an address.
l3-ha | HA Router extension | 2014-04-26 | Routers stand by for each other.
net-mtu | Network MTU | 2015-03-25 | A network shows its MTU.
net-mtu-writable | Network MTU (writable) | 2017-07-12 | The MTU of a network can be set.
network-ip-availability | Network IP Availability | 2015-09-24 | How many addresses of a network are used.
network_availability_zone | Network Availability Zone | 2015-01-01 | Networks have availability zones.
pagination | Pagination support | 2016-06-12 | Lists come in pages.
port-mac-address-regenerate | Neutron Port MAC address regenerate | 2018-05-03 | A null MAC address on update draws a new one.
port-security | Port Security | 2012-07-23 | Port security can be switched off.
port-security-groups-filtering | Port filtering on security groups | 2018-01-09 | Ports can be found by security group.
project-id | project_id field enabled | 2016-09-09 | project_id stands beside tenant_id.
provider | Provider Network | 2012-09-07 | How a network is realised, for administrators.
qos | Quality of Service | 2015-06-08 | Limits, marks and minima of bandwidth.
qos-bw-limit-direction | Direction for QoS bandwidth limit rule | 2017-04-10 | Bandwidth is limited in both directions.
qos-bw-minimum-ingress | Ingress direction for QoS minimum bandwidth rule | 2018-07-09 | Minima in both directions.
qos-default | QoS default policy | 2017-04-26 | A policy for all new networks of a project.
qos-fip | Floating IP QoS | 2017-07-20 | Policies of floating IPs.
qos-rule-type-details | Details of QoS rule types | 2017-06-22 | The parameters of a type of QoS rules.
quota-check-limit | Quota engine limit check | 2021-09-08 | A quota below the usage can be refused.
quota_details | Quota details management support | 2017-02-10 | Quotas with usage and reservations.
quotas | Quota management support | 2012-07-29 | Quotas of a project.
rbac-address-group | Add address_group type to RBAC | 2021-01-31 | Address groups likewise.
rbac-address-scope | Address scope RBAC | 2020-01-01 | Address scopes likewise.
rbac-policies | RBAC Policies | 2015-06-17 | Networks and QoS policies can be shared with single projects.
rbac-security-groups | Add security_group type to network RBAC | 2019-08-22 | Security groups likewise.
rbac-subnetpool | Subnet pool RBAC | 2020-02-26 | Subnet pools likewise.
revision-if-match | If-Match constraints based on revision_number | 2016-12-11 | Changes can be made conditional on the revision.
router | Neutron L3 Router | 2012-07-20 | Routers between subnets and to the outside, floating IPs.
router_availability_zone | Router Availability Zone | 2015-01-01 | Routers have availability zones.
security-group | security-group | 2012-10-05 | Security groups and their rules.
security-groups-default-rules | Default rules for security groups | 2022-12-19 | The rules that new security groups start with.
security-groups-normalized-cidr | Normalized CIDR field for security group rules | 2020-07-28 | Rules show their prefix without host bits.
security-groups-remote-address-group | Remote address group id field for security group rules | 2020-08-25 | A rule can name an address group.
security-groups-shared-filtering | Security group filtering on the shared field | 2021-10-05 | Security groups can be filtered by shared.
sort-key-validation | Sort keys validation | 2018-07-04 | An unknown sort key is an error.
sorting | Sorting support | 2016-06-12 | Lists can be sorted.
standard-attr-description | standard-attr-description | 2016-02-10 | Resources have a description.
standard-attr-revisions | Resource revision numbers | 2016-04-11 | Resources have a revision number.
standard-attr-tag | Tag support for resources with standard attribute: {TAGGED} | 2017-01-01 | Tags.
standard-attr-timestamp | Resource timestamps | 2016-09-12 | Resources show when they were made and changed.
stateful-security-group | Stateful security group | 2019-11-26 | Security groups can be stateless.
subnet-external-network | Subnet belongs to an external network | 2024-02-05 | A subnet shows whether its network is external.
subnet-service-types | Subnet service types | 2016-03-15 | Subnets for ports of some device owners.
subnet_allocation | Subnet Allocation | 2015-03-30 | Subnets from subnet pools.
subnetpool-prefix-ops | Subnet Pool Prefix Operations | 2019-02-08 | Prefixes can be added to subnet pools and removed.
synnefo-network | Synnefo networks | 2026-11-22 | Networks can be drained; floating IPs can be the addresses of ports themselves.
tag-creation | Tag creation extension | 2023-11-28 | Tags can be added to those that are there.
tag-ports-during-bulk-creation | Tag Ports During Bulk Creation | 2019-12-29 | Ports can be created with tags.
"""

EXTENSIONS: dict[str, dict[str, object]] = {}
for _line in _TABLE.strip().splitlines():
    _alias, _name, _date, _text = (part.strip() for part in _line.replace("{TAGGED}", _TAGGED).split("|"))
    EXTENSIONS[_alias] = {
        "alias": _alias,
        "name": _name,
        "updated": f"{_date}T10:00:00-00:00",
        "description": _text,
        "links": [],
    }
