"""The Nodes service: what is known of each node, from three witnesses: its lease, its own report, and the routers' probes."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlplane.api import codec, validate
from controlplane.api.authentication import actor
from controlplane.api.errors import NotFound, Precondition
from controlplane.api.mutations import Mutations, Proposal
from controlplane.api.routers import Routers
from controlplane.api.sessions import Sessions
from controlplane.model import Event, EventKind, Node, Verdict, Witness
from controlplane.store import codec as records
from controlplane.store import events
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Unchanged
from controlplane.store.keys import Key, Kind
from controlplane.store.view import View
from nearhop import names
from nearhop.v1 import nodes_pb2, nodes_pb2_grpc


class Nodes(nodes_pb2_grpc.NodesServicer):
    def __init__(self, mutations: Mutations, cache: Cache, sessions: Sessions, routers: Routers) -> None:
        self._mutations = mutations
        self._cache = cache
        self._sessions = sessions
        self._routers = routers

    async def ListNodes(self, _request: nodes_pb2.ListNodesRequest, _context: Any) -> nodes_pb2.ListNodesResponse:
        view = self._cache.current()
        return nodes_pb2.ListNodesResponse(nodes=[self._message(view, name) for name in sorted(view.nodes)])

    async def GetNode(self, request: nodes_pb2.GetNodeRequest, _context: Any) -> nodes_pb2.Node:
        return self._found(self._cache.current(), request.id)

    async def DrainNode(self, request: nodes_pb2.DrainNodeRequest, context: Any) -> nodes_pb2.Node:
        return await self._set_draining(request, True, actor(context))

    async def UncordonNode(self, request: nodes_pb2.UncordonNodeRequest, context: Any) -> nodes_pb2.Node:
        return await self._set_draining(request, False, actor(context))

    async def DeleteNode(self, request: nodes_pb2.DeleteNodeRequest, context: Any) -> nodes_pb2.DeleteNodeResponse:
        _checked(request)

        async def propose() -> Proposal[nodes_pb2.DeleteNodeResponse]:
            path, health = str(Key(Kind.NODES, request.id)), str(Key(Kind.HEALTH, request.id))
            item = await self._mutations.store.get(path)
            if item is None:
                raise _no_node(request.id)
            if await self._mutations.store.get(health) is not None:
                message = f"node {request.id!r} is connected; stop its agent first"
                raise Precondition("NODE_CONNECTED", message, node=request.id)
            node = records.decode(Node, item.value)
            event = _event(EventKind.NODE_DELETED, node, "forgotten by an operator", actor(context))
            return Proposal(
                [Unchanged(path, item.revision), Unchanged(health, 0)],
                [Delete(path), Delete(str(Key(Kind.PRESENCE, request.id))), *events.puts(event)],
                nodes_pb2.DeleteNodeResponse(),
            )

        return await self._mutations.run(request, propose, nodes_pb2.DeleteNodeResponse)

    async def _set_draining(self, request: Any, draining: bool, who: str) -> nodes_pb2.Node:
        _checked(request)

        async def propose() -> Proposal[nodes_pb2.Node]:
            path = str(Key(Kind.NODES, request.id))
            item = await self._mutations.store.get(path)
            if item is None:
                raise _no_node(request.id)
            known = records.decode(Node, item.value)
            node = replace(known, draining=draining)
            kind = EventKind.NODE_DRAINED if draining else EventKind.NODE_UNCORDONED
            message = "drained by an operator" if draining else "back in the answers"
            told = events.puts(_event(kind, node, message, who)) if node != known else []
            writes = [Put(path, records.encode(node)), *told]
            return Proposal([Unchanged(path, item.revision)], writes, nodes_pb2.Node(id=node.id, draining=draining))

        answer = await self._mutations.run(request, propose, nodes_pb2.Node)
        # What was decided is in the answer; what is seen of the node is told as it is now.
        message = self._found(self._cache.current(), request.id)
        message.draining = answer.draining
        return message

    def _found(self, view: View, name: str) -> nodes_pb2.Node:
        if name not in view.nodes:
            raise _no_node(name)
        return self._message(view, name)

    def _message(self, view: View, name: str) -> nodes_pb2.Node:
        stored, health = view.nodes[name], view.health.get(name)
        node, connected = stored.record, health is not None
        witnesses = self._routers.witnesses(name)
        verdict, reason = judge(node, connected, witnesses)
        report = self._sessions.report(name, health.record if health else None)
        return nodes_pb2.Node(
            id=node.id,
            region=node.region,
            site=node.site,
            location=codec.location(node.location),
            ingress=codec.ingress(node.ingress),
            draining=node.draining,
            health=verdict,
            health_reason=reason,
            connected=connected,
            report=codec.report(report) if report else None,
            witnesses=map(codec.witness, witnesses),
            last_seen_at=codec.timestamp(report.reported_at) if report else None,
            revision=stored.revision,
        )


def judge(node: Node, connected: bool, witnesses: Sequence[Witness]) -> tuple[nodes_pb2.Node.Health, str]:
    """Sum the witnesses up in a word and a sentence."""
    down = [witness for witness in witnesses if witness.verdict is Verdict.DOWN]
    lease = "its agent is connected" if connected else "its agent is not connected"
    if node.draining:
        return nodes_pb2.Node.HEALTH_DRAINING, f"drained by an operator; {lease}"
    if down:
        return (
            nodes_pb2.Node.HEALTH_UNHEALTHY,
            f"router {down[0].router} sees its ingress down: {down[0].reason}; {lease}",
        )
    if not connected:
        return nodes_pb2.Node.HEALTH_STALE, f"{lease}; no router sees its ingress down, so it stays in the answers"
    up = sum(witness.verdict is Verdict.UP for witness in witnesses)
    return nodes_pb2.Node.HEALTH_HEALTHY, f"{lease}; {up} of {len(witnesses)} routers see its ingress up"


def look(node: Node, connected: bool, witnesses: Sequence[Witness]) -> tuple[bool | None, str]:
    """Tell whether routers see the ingress of *node* down, with judge()'s sentence; None when no router knows or it is drained."""
    if node.draining or all(witness.verdict is Verdict.UNKNOWN for witness in witnesses):
        return None, ""
    health, reason = judge(node, connected, witnesses)
    return health == nodes_pb2.Node.HEALTH_UNHEALTHY, reason


def _event(kind: EventKind, node: Node, message: str, who: str) -> Event:
    return Event(kind, time.time(), message, node=node.id, region=node.region, actor=who)


def _checked(request: Any) -> None:
    check = validate.Check()
    check.request_id(request.request_id)
    check.add("id", names.node_id_reasons(request.id))
    check.raise_if_any()


def _no_node(name: str) -> NotFound:
    return NotFound("NODE_NOT_FOUND", f"there is no node {name!r}", node=name)
