"""Asks the role that runs in this container, at its own endpoint, whether it does its job. Exit status 0 or 1, as Docker wants it.

A control plane's authority is trusted by the file that NEARHOP_CA names. Run every few seconds beside the role, so it imports little: gRPC only
where the role speaks nothing else.
"""

import http.client
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

_ROLE = Path("/run/nearhop/role")  # the entrypoint writes it: the role and its configuration's path
_TIMEOUT_S = 4.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # an address to listen on is none to connect to


def main() -> int:
    try:
        role, _, path = _ROLE.read_text(encoding="utf-8").strip().partition(" ")
        config = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        unhealthy = ask(role, config)
    except (OSError, http.client.HTTPException) as error:
        unhealthy = str(error) or type(error).__name__
    print(unhealthy or "healthy")  # docker inspect shows it
    return 1 if unhealthy else 0


def ask(role: str, config: dict[str, Any]) -> str:
    """Return what is wrong with *role*, or nothing. Raises OSError or HTTPException when it does not answer."""
    match role:
        case "controlplane":
            return _ask_grpc(reachable(config["listen"]), os.environ.get("NEARHOP_CA", ""))
        case "router" | "dashboard":
            status, _ = _get(reachable(config["http_listen" if role == "router" else "listen"]), "/healthz")
            return "" if status == 200 else f"/healthz answers {status}"
        case "node":
            status, name = _get(reachable(config["listen"][0]), "/.nearhop/health")
            return "" if (status, name) == (200, config["id"]) else f"the ingress answers {status} as {name!r}"
        case _:
            return f"no such role: {role!r}"


def reachable(endpoint: str) -> str:
    """Return where a part that listens on *endpoint* is reached from its own machine."""
    host, _, port = endpoint.rpartition(":")
    return f"{_WILDCARDS.get(host, host)}:{port}"


def _get(endpoint: str, path: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection(endpoint, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.headers.get("x-nearhop-node")
    finally:
        connection.close()


def _ask_grpc(endpoint: str, authorities: str) -> str:
    if not authorities:
        return "NEARHOP_CA does not name the file with the authority's certificate"
    import grpc  # noqa: PLC0415  # half a second of imports that the other roles need not pay
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    from nearhop import tls  # noqa: PLC0415

    credentials = grpc.ssl_channel_credentials(Path(authorities).read_bytes())
    name = ("grpc.ssl_target_name_override", tls.CONTROL_PLANE_NAME)
    with grpc.secure_channel(endpoint, credentials, options=[name]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)  # type: ignore[no-untyped-call]  # the package has no types
        try:
            reply = stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            return str(error)
    return "" if reply.status == health_pb2.HealthCheckResponse.SERVING else "not serving: is etcd reachable?"


if __name__ == "__main__":
    sys.exit(main())
