"""Every function on every node that its policy allows, draining ones included: they serve the requests that still reach them."""

from collections.abc import Iterable

from controlplane.model import Function, Node


def place(function: Function, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the ids of the nodes that *function* belongs on, ordered."""
    return tuple(sorted(node.id for node in nodes if function.routing.allows(node.region)))
