"""The faults of the network service. The class name is Neutron's error type; the message is for people."""

from __future__ import annotations

from typing import Any

from synnefo_common.errors import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed, Unavailable

__all__ = ["BadRequest", "Conflict", "Forbidden", "NotFound"]


class Missing(NotFound):
    """A resource that is not there, or that the caller does not see."""

    noun = "Resource"
    key = "resource"

    def __init__(self, resource_id: str) -> None:
        super().__init__(f"{self.noun} {resource_id} could not be found.", code=f"network.{self.key}.not_found")


class NetworkNotFound(Missing):
    noun, key = "Network", "network"


class SubnetNotFound(Missing):
    noun, key = "Subnet", "subnet"


class PortNotFound(Missing):
    noun, key = "Port", "port"


class FloatingIPNotFound(Missing):
    noun, key = "Floating IP", "floating_ip"


class SecurityGroupNotFound(Missing):
    noun, key = "Security group", "security_group"


class AddressScopeNotFound(Missing):
    noun, key = "Address scope", "address_scope"


class SubnetPoolNotFound(Missing):
    noun, key = "Subnet pool", "subnet_pool"


class AddressGroupNotFound(Missing):
    noun, key = "Address group", "address_group"


class AddressesNotFound(NotFound):
    default_code = "network.address_group.addresses_not_found"


class QosPolicyNotFound(Missing):
    noun, key = "QoS policy", "qos_policy"


class QosRuleNotFound(NotFound):
    default_code = "network.qos_rule.not_found"


class RbacPolicyNotFound(Missing):
    noun, key = "RBAC policy", "rbac_policy"


class SecurityGroupRuleNotFound(Missing):
    noun, key = "Security group rule", "security_group_rule"


class DefaultSecurityGroupRuleNotFound(Missing):
    noun, key = "Default security group rule", "default_security_group_rule"


class AgentNotFound(Missing):
    noun, key = "Agent", "agent"


class TagNotFound(NotFound):
    default_code = "network.tag.not_found"


class ExtensionNotFound(NotFound):
    default_code = "network.extension.not_found"


class InvalidInput(BadRequest):
    """A value that breaks a rule of the API; subclasses name the rule."""

    default_code = "network.invalid_input"


class BadResource(InvalidInput):
    """A request that the resource's rules refuse; on the wire `BadRequest`."""

    def __init__(self, resource: str, reason: str) -> None:
        super().__init__(f"Bad {resource} request: {reason}", kind="BadRequest")


class InvalidIpForNetwork(InvalidInput): ...


class InvalidIpForSubnet(InvalidInput): ...


class AllocationOnAutoAddressSubnet(InvalidInput): ...


class InvalidAllocationPool(InvalidInput): ...


class OutOfBoundsAllocationPool(InvalidInput): ...


class SecurityGroupInvalidPortRange(InvalidInput): ...


class SecurityGroupInvalidIcmpValue(InvalidInput): ...


class SecurityGroupMissingIcmpType(InvalidInput): ...


class SecurityGroupInvalidPortValue(InvalidInput): ...


class SecurityGroupInvalidProtocolForPort(InvalidInput): ...


class SecurityGroupProtocolRequiredWithPorts(InvalidInput): ...


class SecurityGroupRuleInvalidProtocol(InvalidInput): ...


class SecurityGroupRuleInvalidEtherType(InvalidInput): ...


class SecurityGroupEthertypeConflictWithProtocol(InvalidInput): ...


class SecurityGroupRuleParameterConflict(InvalidInput): ...


class SecurityGroupMultipleRemoteEntites(InvalidInput):
    """Neutron's own spelling: clients match on it."""


class SecurityGroupNotSingleGroupRules(InvalidInput): ...


class EmptySubnetPoolPrefixList(InvalidInput): ...


class PrefixVersionMismatch(InvalidInput): ...


class UnsupportedMinSubnetPoolPrefix(InvalidInput): ...


class IllegalSubnetPoolPrefixBounds(InvalidInput): ...


class IllegalSubnetPoolUpdate(InvalidInput): ...


class IllegalSubnetPoolPrefixUpdate(InvalidInput): ...


class IllegalSubnetPoolAssociationToAddressScope(InvalidInput): ...


class IllegalSubnetPoolIpVersionAssociationToAddressScope(InvalidInput): ...


class MinPrefixSubnetAllocationError(InvalidInput): ...


class MaxPrefixSubnetAllocationError(InvalidInput): ...


class SubnetPoolDeleteError(InvalidInput): ...


class NetworkSubnetPoolAffinityError(InvalidInput): ...


class AddressScopeUpdateError(InvalidInput): ...


class InvalidSubnetServiceType(InvalidInput): ...


class AddressesAlreadyExist(InvalidInput): ...


class AddressPairAndPortSecurityRequired(Conflict):
    default_code = "network.port.port_security_required"


class PortSecurityAndIPRequiredForSecurityGroups(InvalidInput): ...


class PortSecurityPortHasSecurityGroup(Conflict):
    default_code = "network.port.has_security_group"


class NetworkInUse(Conflict):
    default_code = "network.network.in_use"


class SubnetInUse(Conflict):
    default_code = "network.subnet.in_use"


class PortInUse(Conflict):
    default_code = "network.port.in_use"


class ServicePortInUse(Conflict):
    default_code = "network.port.service_in_use"


class MacAddressInUse(Conflict):
    default_code = "network.port.mac_in_use"


class IpAddressInUse(Conflict):
    default_code = "network.address.in_use"


class NetworkDrained(Conflict):
    default_code = "network.network.drained"


class NoFreeFloatingIP(Conflict):
    default_code = "network.floating_ip.none_free"


class FloatingIPInUse(Conflict):
    default_code = "network.floating_ip.in_use"


class IpAddressGenerationFailure(Conflict):
    default_code = "network.address.exhausted"


class OverlappingAllocationPools(Conflict):
    default_code = "network.subnet.pools_overlap"


class GatewayConflictWithAllocationPools(Conflict):
    default_code = "network.subnet.gateway_in_pool"


class GatewayIpInUse(Conflict):
    default_code = "network.subnet.gateway_in_use"


class InvalidSharedSetting(Conflict):
    default_code = "network.network.shared_in_use"


class ExternalNetworkInUse(Conflict):
    default_code = "network.network.external_in_use"


class VlanIdInUse(Conflict):
    default_code = "network.network.segment_in_use"


class DefaultExternalNetworkExists(Conflict):
    default_code = "network.network.default_exists"


class SecurityGroupConflict(Conflict):
    default_code = "network.security_group.conflict"


class SecurityGroupInUse(Conflict):
    default_code = "network.security_group.in_use"


class SecurityGroupDefaultAlreadyExists(Conflict):
    default_code = "network.security_group.default_exists"


class SecurityGroupCannotRemoveDefault(Conflict):
    default_code = "network.security_group.default"


class SecurityGroupCannotUpdateDefault(Conflict):
    default_code = "network.security_group.default"


class SecurityGroupRuleExists(Conflict):
    default_code = "network.security_group_rule.exists"


class DefaultSecurityGroupRuleExists(Conflict):
    default_code = "network.default_security_group_rule.exists"


class NoUniqueSecurityGroup(Conflict):
    default_code = "network.security_group.ambiguous"


class IpAddressGenerationFailureNoMatchingSubnet(Conflict):
    default_code = "network.address.no_subnet"


class SubnetAllocationError(Conflict):
    default_code = "network.subnet_pool.exhausted"


class SubnetPoolQuotaExceeded(Conflict):
    default_code = "network.subnet_pool.quota"


class AddressScopeInUse(Conflict):
    default_code = "network.address_scope.in_use"


class AddressScopePrefixConflict(Conflict):
    default_code = "network.address_scope.prefixes"


class AddressGroupInUse(Conflict):
    default_code = "network.address_group.in_use"


class QosPolicyInUse(Conflict):
    default_code = "network.qos_policy.in_use"


class QoSPolicyDefaultAlreadyExists(Conflict):
    default_code = "network.qos_policy.default_exists"


class QoSRulesConflict(Conflict):
    default_code = "network.qos_rule.conflict"


class QoSRuleParameterConflict(Conflict):
    default_code = "network.qos_rule.conflict"


class NoNetworkAvailable(Conflict):
    default_code = "network.network.no_segment_left"


class RbacPolicyInUse(Conflict):
    default_code = "network.rbac_policy.in_use"


class DuplicateRbacPolicy(Conflict):
    default_code = "network.rbac_policy.duplicate"


class QuotaLimitBelowUsage(BadRequest):
    """The type's name on the wire is Neutron's."""

    default_code = "network.quota.below_usage"

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="QuotaResourceLimitBelowUsage")


class DefaultNetworkUnavailable(Conflict):
    default_code = "network.network.default_unavailable"


class ForcedNetworkUnavailable(Unavailable):
    default_code = "network.network.forced_unavailable"


class AgentInUse(Conflict):
    default_code = "network.agent.alive"


class AutoAllocationFailure(Conflict):
    default_code = "network.auto_allocation"


class NetworkAmbiguous(Conflict):
    default_code = "network.network.ambiguous"


class ExternalNetworkAttachForbidden(Forbidden):
    default_code = "network.network.external_attach"


class RevisionNumberConstraintFailed(PreconditionFailed):
    default_code = "network.revision"


class PolicyNotAuthorized(Forbidden):
    """`rule` is refused for this caller on this target."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"rule:{rule} is disallowed by policy", code="policy.denied", kind="PolicyNotAuthorized")


class StaleRow(Exception):
    """The row changed between reading and writing: run the unit of work again. Never reaches a caller."""


def require_found(row: Any, fault: NotFound) -> Any:
    """`row`, or raise the fault if there is none."""
    if row is None:
        raise fault
    return row
