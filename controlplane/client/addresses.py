"""Where clients reach a node and a function."""

from collections.abc import Sequence

from nearhop.v1 import nodes_pb2


def ingress(node: nodes_pb2.Node) -> str | None:
    """Return where *node* is reached, as host:port, or None when it publishes no address."""
    if node.ingress.ipv4:
        return f"{node.ingress.ipv4[0]}:{node.ingress.port}"
    return f"[{node.ingress.ipv6[0]}]:{node.ingress.port}" if node.ingress.ipv6 else None


def function_url(hostname: str | None, nodes: Sequence[nodes_pb2.Node]) -> str | None:
    """Return the URL at which clients reach a function: every node listens on the same port."""
    if hostname is None:
        return None
    port = nodes[0].ingress.port if nodes else 80
    return f"http://{hostname}/" if port == 80 else f"http://{hostname}:{port}/"
