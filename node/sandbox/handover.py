"""What a guest reads on its standard input: one line of JSON about the program, then the program's source. Pure.

Secrets reach a program this way and no other: never by the environment, the command line or a file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from node.plan.records import SandboxSpec

SERVICES = ("egress", "geo", "assets")  # the node's sockets that a guest may be told of


def header(
    spec: SandboxSpec, *, node: str, region: str, control: str, services: Mapping[str, Path]
) -> dict[str, object]:
    """Return what the guest is told of the program; *control* is the secret by which it knows the agent's own requests."""
    version = spec.version
    return {
        "dialect": version.dialect.value,
        "function": spec.function,
        "version": version.number,
        "digest": version.digest,
        "node": node,
        "region": region,
        "created_at": version.created_at,
        "env": dict(spec.env),
        "manifest": asdict(version.manifest),
        "control": control,
        "sockets": {name: str(services[name]) if name in services else None for name in SERVICES},
        "limits": {
            "subrequests": spec.limits.subrequests,
            "request_body_bytes": spec.limits.request_body_bytes,
        },
    }


def encode(header: Mapping[str, object], source: bytes) -> bytes:
    """Render the header and the source as the guest reads them: it is told the source's length, and waits for no end of its input."""
    return json.dumps({**header, "source_bytes": len(source)}).encode() + b"\n" + source
