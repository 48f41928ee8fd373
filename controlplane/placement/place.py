"""Every function on every node, draining ones included: they serve the requests that still reach them."""

from collections.abc import Iterable

from controlplane.model import Function, Node


def place(function: Function, nodes: Iterable[Node]) -> tuple[str, ...]:  # noqa: ARG001  # a policy will stand in the function
    """Return the ids of the nodes that *function* belongs on, ordered."""
    return tuple(sorted(node.id for node in nodes))
