"""Bodies of the rules of QoS policies, a pair for each type."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synnefo_network.api.schemas.base import Body, Int, Wrapper
from synnefo_network.domain.qos import DSCP_MARKS

Direction = Literal["ingress", "egress"]
Kbps = Annotated[Int, Field(ge=0)]


def _mark(number: int) -> int:
    if number not in DSCP_MARKS:
        raise ValueError(f"{number} is not in {sorted(DSCP_MARKS)}")
    return number


Mark = Annotated[Int, AfterValidator(_mark)]


class BandwidthLimitCreate(Body):
    max_kbps: Kbps
    max_burst_kbps: Kbps = 0
    direction: Direction = "egress"


class BandwidthLimitUpdate(Body):
    max_kbps: Kbps = 0
    max_burst_kbps: Kbps = 0
    direction: Direction = "egress"


class DscpMarkingCreate(Body):
    dscp_mark: Mark


class DscpMarkingUpdate(Body):
    dscp_mark: Mark = 0


class MinimumBandwidthCreate(Body):
    min_kbps: Kbps
    direction: Direction = "egress"


class MinimumBandwidthUpdate(Body):
    min_kbps: Kbps = 0
    direction: Direction = "egress"


class BandwidthLimitCreateBody(Wrapper):
    bandwidth_limit_rule: BandwidthLimitCreate


class BandwidthLimitUpdateBody(Wrapper):
    bandwidth_limit_rule: BandwidthLimitUpdate


class DscpMarkingCreateBody(Wrapper):
    dscp_marking_rule: DscpMarkingCreate


class DscpMarkingUpdateBody(Wrapper):
    dscp_marking_rule: DscpMarkingUpdate


class MinimumBandwidthCreateBody(Wrapper):
    minimum_bandwidth_rule: MinimumBandwidthCreate


class MinimumBandwidthUpdateBody(Wrapper):
    minimum_bandwidth_rule: MinimumBandwidthUpdate
