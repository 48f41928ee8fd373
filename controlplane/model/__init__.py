"""The records of the platform: frozen values that every layer passes and none changes in place.

Rule 1: nothing here does I/O, reads a clock or imports a stub.
Rule 2: a record is replaced (dataclasses.replace), never mutated; its store revision travels beside it, not in it.
Times are float seconds since the epoch. Percentages of one deployment sum to 100.
What the node carries out just as it is kept here (limits, manifests, path routes, rate limits) stands in nearhop.spec.
"""

from controlplane.model.deployment import (
    Deployment,
    EndedDeployment,
    Gradual,
    NodeProgress,
    Phase,
    Progress,
    Rollout,
    Share,
)
from controlplane.model.event import Event, EventKind, Presence
from controlplane.model.fleet import FleetView, RoutedFunction, RoutedNode
from controlplane.model.function import Bundle, BundleKind, Function, Secret, Version
from controlplane.model.node import (
    Ingress,
    Location,
    Node,
    NodeReport,
    PlacementState,
    PlacementStatus,
    SandboxStatus,
    Verdict,
    VersionStatus,
    Witness,
)
from controlplane.model.policy import RoutingKind, RoutingPolicy
from controlplane.model.schedule import CronMarks, Due, ScheduledCall

__all__ = [
    "Bundle",
    "BundleKind",
    "CronMarks",
    "Deployment",
    "Due",
    "EndedDeployment",
    "Event",
    "EventKind",
    "FleetView",
    "Function",
    "Gradual",
    "Ingress",
    "Location",
    "Node",
    "NodeProgress",
    "NodeReport",
    "Phase",
    "PlacementState",
    "PlacementStatus",
    "Presence",
    "Progress",
    "Rollout",
    "RoutedFunction",
    "RoutedNode",
    "RoutingKind",
    "RoutingPolicy",
    "SandboxStatus",
    "ScheduledCall",
    "Secret",
    "Share",
    "Verdict",
    "Version",
    "VersionStatus",
    "Witness",
]
