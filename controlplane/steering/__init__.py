"""Steering: which node a client is sent to, and why.

Rule 1: decide() is the only place that chooses; DNS, the HTTP side and `explain` call it with the same arguments and print its reasons.
Likeness tells which clients it would answer alike, and is held to that by tests.
Rule 2: nothing here reads a clock, opens a file or awaits. Locations, verdicts and *now* are arguments.
Invariant: a function that is placed on a node that its policy allows always has an answer. Health, load and drains change who is chosen, never
whether somebody is.
"""

from controlplane.steering import simulate, spill
from controlplane.steering.decide import TTL_DOUBTFUL_S, TTL_STEADY_S, decide
from controlplane.steering.decision import Candidate, Decision, ReasonKind
from controlplane.steering.distance import distance_km, unit_vector
from controlplane.steering.health import (
    Alarm,
    Answered,
    Doubt,
    Failed,
    FleetHealth,
    Followed,
    HealthPolicy,
    Heard,
    NodeHealth,
    Publish,
    Sight,
    Ticked,
    step,
)
from controlplane.steering.index import FleetIndex, PlacedNode
from controlplane.steering.likeness import Likeness
from controlplane.steering.location import ClientLocation, Source, Target, given, of_country, unlocated
from controlplane.steering.outlook import Outlook
from controlplane.steering.overrides import Overrides
from controlplane.steering.placeless import Address, placeless_block, placeless_prefix

__all__ = [
    "TTL_DOUBTFUL_S",
    "TTL_STEADY_S",
    "Address",
    "Alarm",
    "Answered",
    "Candidate",
    "ClientLocation",
    "Decision",
    "Doubt",
    "Failed",
    "FleetHealth",
    "FleetIndex",
    "Followed",
    "HealthPolicy",
    "Heard",
    "Likeness",
    "NodeHealth",
    "Outlook",
    "Overrides",
    "PlacedNode",
    "Publish",
    "ReasonKind",
    "Sight",
    "Source",
    "Target",
    "Ticked",
    "decide",
    "distance_km",
    "given",
    "of_country",
    "placeless_block",
    "placeless_prefix",
    "simulate",
    "spill",
    "step",
    "unit_vector",
    "unlocated",
]
