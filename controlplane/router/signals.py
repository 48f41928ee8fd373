"""What a control plane passes on of the other routers and the nodes, from protobuf to the event that verdicts are made from. Pure."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from controlplane.steering import Heard, Sight
from nearhop.v1 import router_control_pb2 as pb

LOAD_MAX = 1000.0  # what a node may claim; more is nonsense


@dataclass(frozen=True, slots=True)
class Signals:
    """What is heard, and how full the nodes are."""

    heard: Heard = field(default_factory=Heard)
    loads: dict[str, float] = field(default_factory=dict)


def decode(message: pb.Signals, router: str) -> Signals:
    """Read *message* for *router*, whose own sight must not come back to it. A load that is no number is left out."""
    up: dict[str, list[str]] = defaultdict(list)
    down: dict[str, list[str]] = defaultdict(list)
    for sight in message.sights:
        if sight.router != router:
            for table, nodes in ((up, sight.up), (down, sight.down)):
                for node in nodes:
                    table[node].append(sight.router)
    sights = {node: Sight(tuple(up.get(node, ())), tuple(down.get(node, ()))) for node in up.keys() | down.keys()}
    loads = {
        entry.node: entry.load for entry in message.loads if math.isfinite(entry.load) and 0 <= entry.load <= LOAD_MAX
    }
    return Signals(Heard(sights, frozenset(message.silent)), loads)
