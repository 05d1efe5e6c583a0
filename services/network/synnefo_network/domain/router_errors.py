"""The faults of routers and of what leads through them: floating IPs to ports, port forwardings."""

from __future__ import annotations

from synnefo_network.domain.errors import Conflict, InvalidInput, Missing, NotFound


class RouterNotFound(Missing):
    noun, key = "Router", "router"


class RouterInterfaceNotFound(NotFound):
    default_code = "network.router.interface_not_found"


class RouterInterfaceNotFoundForSubnet(NotFound):
    default_code = "network.router.interface_not_found"


class ExternalGatewayForFloatingIPNotFound(NotFound):
    default_code = "network.floating_ip.unreachable"


class PortForwardingNotFound(Missing):
    noun, key = "Port Forwarding", "port_forwarding"


class InvalidRoutes(InvalidInput): ...


class RoutesExhausted(InvalidInput): ...


class RouterInUse(Conflict):
    default_code = "network.router.in_use"


class RouterInterfaceInUseByFloatingIP(Conflict):
    default_code = "network.router.interface_in_use"


class RouterInterfaceInUseByRoute(Conflict):
    default_code = "network.router.interface_in_use"


class RouterExternalGatewayInUseByFloatingIp(Conflict):
    default_code = "network.router.gateway_in_use"


class SubnetMismatchForPort(Conflict):
    default_code = "network.router.subnet_mismatch"


class FloatingIPPortAlreadyAssociated(Conflict):
    default_code = "network.floating_ip.port_associated"


class FipInUseByPortForwarding(Conflict):
    default_code = "network.floating_ip.forwards"


class PortHasPortForwarding(Conflict):
    default_code = "network.port.forwarded_to"


class PortHasBindingFloatingIP(Conflict):
    default_code = "network.port.has_floating_ip"
