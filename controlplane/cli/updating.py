"""What the commands say of a function beside its versions: its domains, limits and policies, its secrets, its edge cache."""

from dataclasses import dataclass, field

from controlplane.client import show
from controlplane.client.failure import Exit, Failure
from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from nearhop.v1 import common_pb2, functions_pb2

_LIMITS = ("cpu_ms", "memory_mib", "wall_ms", "subrequests", "request_body_bytes", "concurrency", "instances")
_KINDS = {
    "nearest": common_pb2.RoutingPolicy.KIND_NEAREST,
    "failover": common_pb2.RoutingPolicy.KIND_FAILOVER,
    "weighted": common_pb2.RoutingPolicy.KIND_WEIGHTED,
}


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different; None: as it is."""

    limits: dict[str, int] = field(default_factory=dict)
    hostnames: list[str] | None = None
    routes: list[str] | None = None
    rate_limit: str | None = None
    routing: str | None = None
    regions: list[str] = field(default_factory=list)
    allowed: list[str] | None = None
    denied: list[str] | None = None
    answers: int | None = None


async def update(connection: Connection, name: str, changes: Changes, *, json: bool) -> None:
    """Change a function. Domains and policies are replaced whole, on top of what they are when this reads them."""
    found = await connection.functions.GetFunction(functions_pb2.GetFunctionRequest(name=name), timeout=TIMEOUT_S)
    request = functions_pb2.UpdateFunctionRequest(
        request_id=request_id(), name=name, expected_revision=found.revision, limits=_limits(changes.limits)
    )
    if changes.hostnames is not None or changes.routes is not None:
        request.hostnames.hostnames.extend(found.hostnames[1:] if changes.hostnames is None else changes.hostnames)
        request.hostnames.routes.extend(found.routes if changes.routes is None else map(route, changes.routes))
    if changes.rate_limit is not None:
        request.rate_limit.CopyFrom(rate_limit(changes.rate_limit))
    if (policy := _routing(found.routing, changes)) is not None:
        request.routing.CopyFrom(policy)
    changed = await connection.functions.UpdateFunction(request, timeout=TIMEOUT_S)
    if json:
        show.emit(settings(changed))
        return
    show.say(show.line(f"{name} is changed"))
    for text in sentences(changed):
        show.say(show.line(text))


def settings(function: functions_pb2.Function) -> dict[str, object]:
    """Return what a function is set to, for programs."""
    return {
        "hostnames": list(function.hostnames),
        "routes": [f"{item.hostname}{item.path}" for item in function.routes],
        "limits": {name: getattr(function.limits, name) for name in _LIMITS},
        "rate_limit": {"requests": function.rate_limit.requests, "period_s": function.rate_limit.period_s},
        "routing": {
            "kind": next((name for name, kind in _KINDS.items() if kind == function.routing.kind), "nearest"),
            "regions": list(function.routing.regions),
            "weights": dict(sorted(function.routing.weights.items())),
            "allowed_regions": list(function.routing.allowed_regions),
            "denied_regions": list(function.routing.denied_regions),
            "answers": function.routing.answers or 1,
        },
        "cache_epoch": function.cache_epoch,
    }


def sentences(function: functions_pb2.Function) -> list[str]:
    """Return the same for people."""
    limits = function.limits
    text = (
        f"limits: {limits.cpu_ms} ms CPU, {limits.memory_mib} MiB, {limits.wall_ms} ms to answer, {limits.subrequests} subrequests, "
        f"{limits.request_body_bytes} bytes of body, {limits.concurrency} requests at once, {limits.instances} sandboxes on a node"
    )
    found = [text]
    if len(function.hostnames) > 1 or function.routes:
        names = [*function.hostnames[1:], *(f"{item.hostname}{item.path}" for item in function.routes)]
        found.append(f"also answers: {', '.join(names)}")
    if function.rate_limit.requests:
        found.append(
            f"rate limit: {function.rate_limit.requests} requests a client in {function.rate_limit.period_s} s"
        )
    return found


def route(text: str) -> common_pb2.PathRoute:
    """Read HOST/PATH. Raises Failure."""
    hostname, slash, path = text.partition("/")
    if not hostname or not slash:
        raise Failure(f"{text!r} is no route", "it must be HOST/PATH, such as www.example.org/shop", status=Exit.USAGE)
    return common_pb2.PathRoute(hostname=hostname, path=f"/{path}")


def rate_limit(text: str) -> common_pb2.RateLimit:
    """Read REQUESTS or REQUESTS/SECONDS. Raises Failure."""
    requests, _, period = text.partition("/")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (requests, period or "0")):
        raise Failure(
            f"{text!r} is no rate limit",
            "it must be REQUESTS or REQUESTS/SECONDS, such as 100/10; 0 for none",
            status=Exit.USAGE,
        )
    return common_pb2.RateLimit(requests=int(requests), period_s=int(period or 0))


def _limits(given: dict[str, int]) -> common_pb2.Limits | None:
    return common_pb2.Limits(**given) if given else None


def _routing(before: common_pb2.RoutingPolicy, changes: Changes) -> common_pb2.RoutingPolicy | None:
    if changes.routing is None and changes.allowed is None and changes.denied is None and changes.answers is None:
        return None
    policy = common_pb2.RoutingPolicy()
    policy.CopyFrom(before)
    if changes.routing is not None:
        policy.kind = _KINDS[changes.routing]
        policy.ClearField("regions")
        policy.ClearField("weights")
        for text in changes.regions:
            region, equals, weight = text.partition("=")
            if changes.routing == "weighted":
                if not equals or not (weight.isascii() and weight.isdigit() and len(weight) < 10):
                    raise Failure(
                        f"{text!r} is no weight", "it must be REGION=NUMBER, such as tokyo=3", status=Exit.USAGE
                    )
                policy.weights[region] = int(weight)
            else:
                policy.regions.append(text)
    for name, regions in (("allowed_regions", changes.allowed), ("denied_regions", changes.denied)):
        if regions is not None:
            policy.ClearField(name)
            getattr(policy, name).extend(region for region in regions if region)
    if changes.answers is not None:
        policy.answers = changes.answers
    return policy


async def purge(connection: Connection, name: str) -> None:
    """Forget what the nodes' edge caches keep for a function."""
    request = functions_pb2.PurgeCacheRequest(request_id=request_id(), name=name)
    await connection.functions.PurgeCache(request, timeout=TIMEOUT_S)
    show.say(show.line(f"every connected node has forgotten what it kept for {name}"))


async def put_secret(connection: Connection, function: str, name: str, value: str) -> None:
    """Set a secret."""
    request = functions_pb2.PutSecretRequest(request_id=request_id(), function=function, name=name, value=value)
    await connection.functions.PutSecret(request, timeout=TIMEOUT_S)
    show.say(show.line(f"{name} of {function} is set; its sandboxes are replaced by new ones that have it"))


async def delete_secret(connection: Connection, function: str, name: str) -> None:
    """Remove a secret."""
    request = functions_pb2.DeleteSecretRequest(request_id=request_id(), function=function, name=name)
    await connection.functions.DeleteSecret(request, timeout=TIMEOUT_S)
    show.say(show.line(f"{name} of {function} is removed"))


async def secrets(connection: Connection, function: str, *, json: bool) -> None:
    """Print the names of a function's secrets."""
    found = await connection.functions.ListSecrets(
        functions_pb2.ListSecretsRequest(function=function), timeout=TIMEOUT_S
    )
    if json:
        show.emit(list(found.names))
    elif found.names:
        show.say("\n".join(map(show.line, found.names)))
    else:
        show.say(show.line(f"{function} has no secret yet: nearhop secret put NAME --function {function}"))
