"""How clients are spread over the nodes that a function is placed on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.model.node import Location


class RoutingKind(StrEnum):
    """What makes one node better than another."""

    NEAREST = "nearest"
    FAILOVER = "failover"
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """See the contract's message of this name. *regions* is the order of FAILOVER, *weights* those of WEIGHTED, by region."""

    kind: RoutingKind = RoutingKind.NEAREST
    regions: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict, hash=False)
    allowed_regions: tuple[str, ...] = ()
    denied_regions: tuple[str, ...] = ()
    answers: int = 1
    default_location: Location | None = None

    def allows(self, region: str) -> bool:
        """Tell whether the function may run in *region* and be answered from there."""
        if self.allowed_regions and region not in self.allowed_regions:
            return False
        return region not in self.denied_regions
