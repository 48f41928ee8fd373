"""Decides what a caller may call, and about what: one rule for each method of the contract.

A method without a rule is refused to everyone. Messages are read by field name only; nothing here knows the stubs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

from controlplane.identity.principal import Anonymous, ApiCaller, ApiRole, PartCaller, Principal
from nearhop.spiffe import Role


class Verdict(Enum):
    """ALLOWED; UNAUTHENTICATED: show who you are; FORBIDDEN: you are known, and may not."""

    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and, for a refusal, the sentence that the caller reads."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody, without a credential."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Any API token."""


@dataclass(frozen=True, slots=True)
class Deployer:
    """A token that may change the function which stands in the request's *field*; no field: any deployer."""

    field: str = ""


@dataclass(frozen=True, slots=True)
class Admin:
    """An administrator's token."""


@dataclass(frozen=True, slots=True)
class Known:
    """Anybody with a token or a certificate."""


@dataclass(frozen=True, slots=True)
class AnyPart:
    """Any node or router, about itself, which its certificate tells."""


@dataclass(frozen=True, slots=True)
class Speaks:
    """A part of *role*, whose messages may name nobody but itself.

    *claims* maps dotted paths in a message to what must stand there: the part's "id" or "region". A path's first step is skipped
    when the message does not have it; a repeated field is checked in each item.
    """

    role: Role
    claims: tuple[tuple[str, str], ...]


Rule = Public | Reader | Deployer | Admin | Known | AnyPart | Speaks

RULES: Mapping[str, Rule] = {
    "/grpc.health.v1.Health/Check": Public(),
    "/grpc.health.v1.Health/List": Reader(),
    "/grpc.health.v1.Health/Watch": Known(),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Reader(),
    "/nearhop.v1.Deployments/ChangeRollout": Deployer("function"),
    "/nearhop.v1.Deployments/Deploy": Deployer("function"),
    "/nearhop.v1.Deployments/GetDeployment": Reader(),
    "/nearhop.v1.Deployments/Rollback": Deployer("function"),
    "/nearhop.v1.Deployments/WatchDeployment": Reader(),
    "/nearhop.v1.Events/ListEvents": Reader(),
    "/nearhop.v1.Events/WatchEvents": Reader(),
    "/nearhop.v1.Functions/CreateFunction": Deployer("name"),
    "/nearhop.v1.Functions/DeleteFunction": Admin(),
    "/nearhop.v1.Functions/DeleteSecret": Deployer("function"),
    "/nearhop.v1.Functions/GetFunction": Reader(),
    "/nearhop.v1.Functions/ListFunctions": Reader(),
    "/nearhop.v1.Functions/ListSecrets": Deployer("function"),
    "/nearhop.v1.Functions/PurgeCache": Deployer("name"),
    "/nearhop.v1.Functions/PutSecret": Deployer("function"),
    "/nearhop.v1.Functions/TailLogs": Deployer("function"),
    "/nearhop.v1.Functions/UpdateFunction": Deployer("name"),
    "/nearhop.v1.Identity/Join": Public(),
    "/nearhop.v1.Identity/ListIdentities": Reader(),
    "/nearhop.v1.Identity/Renew": AnyPart(),
    "/nearhop.v1.Identity/RevokeIdentity": Admin(),
    "/nearhop.v1.Identity/WhoAmI": Known(),
    "/nearhop.v1.NodeControl/Sync": Speaks(Role.NODE, (("hello.node", "id"), ("hello.region", "region"))),
    "/nearhop.v1.Nodes/DeleteNode": Admin(),
    "/nearhop.v1.Nodes/DrainNode": Admin(),
    "/nearhop.v1.Nodes/GetNode": Reader(),
    "/nearhop.v1.Nodes/ListNodes": Reader(),
    "/nearhop.v1.Nodes/UncordonNode": Admin(),
    "/nearhop.v1.RouterControl/Sync": Speaks(Role.ROUTER, (("hello.router", "id"), ("report.verdicts.router", "id"))),
    "/nearhop.v1.Routing/Explain": Reader(),
    "/nearhop.v1.Routing/ListRouters": Reader(),
    "/nearhop.v1.Routing/Simulate": Reader(),
    "/nearhop.v1.Routing/WatchFlows": Reader(),
    "/nearhop.v1.Tokens/CreateApiToken": Admin(),
    "/nearhop.v1.Tokens/CreateJoinToken": Admin(),
    "/nearhop.v1.Tokens/ListApiTokens": Admin(),
    "/nearhop.v1.Tokens/ListJoinTokens": Admin(),
    "/nearhop.v1.Tokens/RevokeApiToken": Admin(),
    "/nearhop.v1.Tokens/RevokeJoinToken": Admin(),
    "/nearhop.v1.Versions/CreateVersion": Deployer("function"),
    "/nearhop.v1.Versions/GetVersion": Reader(),
    "/nearhop.v1.Versions/ListVersions": Reader(),
    "/nearhop.v1.Versions/StatBundle": Reader(),
    "/nearhop.v1.Versions/UploadBundle": Deployer(),
}

_ALLOWED = Decision(Verdict.ALLOWED)


def may_call(caller: Principal, method: str) -> Decision:
    """Decide before any message is read whether *caller* may call *method* (its full name, with slashes) at all."""
    rule = RULES.get(method)
    if rule is None:
        return _forbidden(f"{method} has no rule that would allow it")
    if isinstance(rule, Public):
        return _ALLOWED
    match caller:
        case Anonymous(reason):
            return Decision(Verdict.UNAUTHENTICATED, reason)
        case ApiCaller():
            return _person(caller, rule, method)
        case PartCaller():
            return _part(caller, rule, method)
        case _:
            assert_never(caller)


def may_say(caller: Principal, method: str, message: Any) -> Decision:
    """Decide whether *caller*, who may call *method*, may send *message* in it."""
    match caller, RULES.get(method):
        case ApiCaller(), Deployer(field) if field:
            function = getattr(message, field)
            if not caller.may_change(function):
                return _forbidden(f"the token {caller.name!r} may not change the function {function!r}")
        case PartCaller(part=part), Speaks(claims=claims):
            for path, attribute in claims:
                own = getattr(part, attribute)
                for value in _values(message, path.split(".")):
                    if value != own:
                        return _forbidden(
                            f"{path} is {value!r}, but the certificate is that of {part} ({attribute} {own!r})"
                        )
        case _:
            pass
    return _ALLOWED


def _person(caller: ApiCaller, rule: Rule, method: str) -> Decision:
    match rule:
        case Public() | Reader() | Known():
            return _ALLOWED
        case Deployer():
            allowed = caller.role is not ApiRole.VIEWER
        case Admin():
            allowed = caller.role is ApiRole.ADMIN
        case Speaks() | AnyPart():
            return _forbidden(
                f"{method} is for nodes and routers with a certificate, on the fleet's address; {caller} has a token"
            )
        case _:
            assert_never(rule)
    return _ALLOWED if allowed else _forbidden(f"{caller} may not call {method}")


def _part(caller: PartCaller, rule: Rule, method: str) -> Decision:
    match rule:
        case Public() | Known():
            return _ALLOWED
        case AnyPart():
            allowed = caller.part.role is not Role.CONTROL_PLANE
        case Speaks(role=role):
            allowed = caller.part.role is role
        case Reader() | Deployer() | Admin():
            allowed = False
        case _:
            assert_never(rule)
    return _ALLOWED if allowed else _forbidden(f"{caller} may not call {method}")


def _values(message: Any, path: list[str]) -> list[Any]:
    step, *rest = path
    if not rest:
        return [getattr(message, step)]
    if len(path) > 1 and _is_absent(message, step):
        return []
    inner = getattr(message, step)
    items = inner if hasattr(inner, "__len__") else [inner]
    return [value for item in items for value in _values(item, rest)]


def _is_absent(message: Any, field: str) -> bool:
    try:
        return not message.HasField(field)
    except ValueError:
        return False  # a repeated field has no presence


def _forbidden(reason: str) -> Decision:
    return Decision(Verdict.FORBIDDEN, reason)
