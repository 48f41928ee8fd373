"""Who may call what: every method of the contract against every kind of caller."""

import importlib
import pkgutil
from typing import Any

import pytest

import nearhop.v1
from controlplane.identity.policy import RULES, Verdict, may_call, may_say
from controlplane.identity.principal import Anonymous, ApiCaller, ApiRole, PartCaller, Principal
from nearhop.spiffe import Part, Role
from nearhop.v1 import (
    deployments_pb2,
    functions_pb2,
    node_control_pb2,
    nodes_pb2,
    router_control_pb2,
    versions_pb2,
)

ADMIN = ApiCaller("1", "ops", ApiRole.ADMIN)
DEPLOYER = ApiCaller("2", "ci", ApiRole.DEPLOYER, frozenset({"hello"}))
VIEWER = ApiCaller("3", "wall", ApiRole.VIEWER)
NODE = PartCaller(Part(Role.NODE, "tokyo-1", "tokyo"), 1, 0.0)
ROUTER = PartCaller(Part(Role.ROUTER, "r1"), 1, 0.0)
CONTROL_PLANE = PartCaller(Part(Role.CONTROL_PLANE, "c1"), 1, 0.0)
CALLERS: dict[str, Principal] = {
    "anonymous": Anonymous(),
    "viewer": VIEWER,
    "deployer": DEPLOYER,
    "admin": ADMIN,
    "node": NODE,
    "router": ROUTER,
    "controlplane": CONTROL_PLANE,
}
PEOPLE = {"viewer", "deployer", "admin"}
# Written out by hand, method by method: a change of a right must be made twice.
EXPECTED: dict[str, set[str]] = {
    "Deployments/ChangeRollout": {"deployer", "admin"},
    "Deployments/Deploy": {"deployer", "admin"},
    "Deployments/GetDeployment": PEOPLE,
    "Deployments/Rollback": {"deployer", "admin"},
    "Deployments/WatchDeployment": PEOPLE,
    "Events/ListEvents": PEOPLE,
    "Events/WatchEvents": PEOPLE,
    "Functions/CreateFunction": {"deployer", "admin"},
    "Functions/DeleteFunction": {"admin"},
    "Functions/DeleteSecret": {"deployer", "admin"},
    "Functions/GetFunction": PEOPLE,
    "Functions/ListFunctions": PEOPLE,
    "Functions/ListSecrets": {"deployer", "admin"},
    "Functions/PurgeCache": {"deployer", "admin"},
    "Functions/PutSecret": {"deployer", "admin"},
    "Functions/TailLogs": {"deployer", "admin"},
    "Functions/UpdateFunction": {"deployer", "admin"},
    "Identity/Join": set(CALLERS),
    "Identity/ListIdentities": PEOPLE,
    "Identity/Renew": {"node", "router"},
    "Identity/RevokeIdentity": {"admin"},
    "Identity/WhoAmI": set(CALLERS) - {"anonymous"},
    "NodeControl/Sync": {"node"},
    "Nodes/DeleteNode": {"admin"},
    "Nodes/DrainNode": {"admin"},
    "Nodes/GetNode": PEOPLE,
    "Nodes/ListNodes": PEOPLE,
    "Nodes/UncordonNode": {"admin"},
    "RouterControl/Sync": {"router"},
    "Routing/Explain": PEOPLE,
    "Routing/ListRouters": PEOPLE,
    "Routing/Simulate": PEOPLE,
    "Routing/WatchFlows": PEOPLE,
    "Tokens/CreateApiToken": {"admin"},
    "Tokens/CreateJoinToken": {"admin"},
    "Tokens/ListApiTokens": {"admin"},
    "Tokens/ListJoinTokens": {"admin"},
    "Tokens/RevokeApiToken": {"admin"},
    "Tokens/RevokeJoinToken": {"admin"},
    "Versions/CreateVersion": {"deployer", "admin"},
    "Versions/GetVersion": PEOPLE,
    "Versions/ListVersions": PEOPLE,
    "Versions/StatBundle": PEOPLE,
    "Versions/UploadBundle": {"deployer", "admin"},
}


def contract() -> set[str]:
    """Return every method of the contract, as Service/Method."""
    found = set()
    for module in pkgutil.iter_modules(nearhop.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"nearhop.v1.{module.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                found |= {f"{service.name}/{method.name}" for method in service.methods}
    return found


def test_every_method_of_the_contract_has_a_rule_and_an_expectation() -> None:
    ruled = {name.removeprefix("/nearhop.v1.") for name in RULES if name.startswith("/nearhop.v1.")}
    assert ruled == contract()
    assert set(EXPECTED) == contract()


@pytest.mark.parametrize("name", list(CALLERS))
@pytest.mark.parametrize("method", list(EXPECTED))
def test_a_caller_may_call_what_its_kind_may(method: str, name: str) -> None:
    decision = may_call(CALLERS[name], f"/nearhop.v1.{method}")
    assert (decision.verdict is Verdict.ALLOWED) == (name in EXPECTED[method]), decision
    if decision.verdict is not Verdict.ALLOWED:
        assert decision.reason
        assert (decision.verdict is Verdict.UNAUTHENTICATED) == (name == "anonymous")


@pytest.mark.parametrize("caller", list(CALLERS.values()), ids=list(CALLERS))
def test_a_method_without_a_rule_is_for_nobody(caller: Principal) -> None:
    decision = may_call(caller, "/nearhop.v1.Functions/Invented")
    assert decision.verdict is Verdict.FORBIDDEN
    assert "no rule" in decision.reason


@pytest.mark.parametrize(
    ("method", "callers"),
    [
        ("/grpc.health.v1.Health/Check", set(CALLERS)),
        ("/grpc.health.v1.Health/List", PEOPLE),
        ("/grpc.health.v1.Health/Watch", set(CALLERS) - {"anonymous"}),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", PEOPLE),
    ],
)
def test_the_standard_services(method: str, callers: set[str]) -> None:
    allowed = {name for name, caller in CALLERS.items() if may_call(caller, method).verdict is Verdict.ALLOWED}
    assert allowed == callers


CHANGES = [
    ("Deployments/ChangeRollout", deployments_pb2.ChangeRolloutRequest, "function"),
    ("Deployments/Deploy", deployments_pb2.DeployRequest, "function"),
    ("Deployments/Rollback", deployments_pb2.RollbackRequest, "function"),
    ("Functions/CreateFunction", functions_pb2.CreateFunctionRequest, "name"),
    ("Functions/DeleteSecret", functions_pb2.DeleteSecretRequest, "function"),
    ("Functions/ListSecrets", functions_pb2.ListSecretsRequest, "function"),
    ("Functions/PurgeCache", functions_pb2.PurgeCacheRequest, "name"),
    ("Functions/PutSecret", functions_pb2.PutSecretRequest, "function"),
    ("Functions/TailLogs", functions_pb2.TailLogsRequest, "function"),
    ("Functions/UpdateFunction", functions_pb2.UpdateFunctionRequest, "name"),
    ("Versions/CreateVersion", versions_pb2.CreateVersionRequest, "function"),
]


@pytest.mark.parametrize(("method", "kind", "field"), CHANGES)
def test_a_deployer_changes_its_own_functions_only(method: str, kind: Any, field: str) -> None:
    path = f"/nearhop.v1.{method}"
    assert may_say(DEPLOYER, path, kind(**{field: "hello"})).verdict is Verdict.ALLOWED
    assert may_say(ADMIN, path, kind(**{field: "other"})).verdict is Verdict.ALLOWED
    refused = may_say(DEPLOYER, path, kind(**{field: "other"}))
    assert refused.verdict is Verdict.FORBIDDEN
    assert "'other'" in refused.reason
    everything = ApiCaller("4", "ci", ApiRole.DEPLOYER, frozenset({"*"}))
    assert may_say(everything, path, kind(**{field: "other"})).verdict is Verdict.ALLOWED


def test_a_viewer_changes_nothing_whatever_its_token_names() -> None:
    assert not ApiCaller("5", "odd", ApiRole.VIEWER, frozenset({"*"})).may_change("hello")


def test_an_upload_belongs_to_no_function() -> None:
    request = versions_pb2.UploadBundleRequest(chunk=b"x")
    assert may_say(DEPLOYER, "/nearhop.v1.Versions/UploadBundle", request).verdict is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("node", "region", "allowed"),
    [("tokyo-1", "tokyo", True), ("tokyo-2", "tokyo", False), ("tokyo-1", "london", False), ("", "", False)],
)
def test_a_node_says_hello_as_itself(node: str, region: str, allowed: bool) -> None:
    message = node_control_pb2.NodeMessage(hello=node_control_pb2.Hello(node=node, region=region))
    decision = may_say(NODE, "/nearhop.v1.NodeControl/Sync", message)
    assert (decision.verdict is Verdict.ALLOWED) is allowed
    assert allowed or "node tokyo-1" in decision.reason


def test_a_message_that_names_nobody_may_be_said() -> None:
    for message in (node_control_pb2.NodeMessage(report={}), node_control_pb2.NodeMessage()):
        assert may_say(NODE, "/nearhop.v1.NodeControl/Sync", message).verdict is Verdict.ALLOWED
    assert may_say(NODE, "/nearhop.v1.Identity/Renew", object()).verdict is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("message", "allowed"),
    [
        (router_control_pb2.RouterMessage(hello=router_control_pb2.RouterHello(router="r1")), True),
        (router_control_pb2.RouterMessage(hello=router_control_pb2.RouterHello(router="r2")), False),
        (router_control_pb2.RouterMessage(report={"verdicts": [nodes_pb2.Witness(router="r1")]}), True),
        (router_control_pb2.RouterMessage(report={}), True),
        (
            router_control_pb2.RouterMessage(
                report={"verdicts": [nodes_pb2.Witness(router="r1"), nodes_pb2.Witness(router="r2")]}
            ),
            False,
        ),
    ],
)
def test_a_router_speaks_for_itself(message: Any, allowed: bool) -> None:
    decision = may_say(ROUTER, "/nearhop.v1.RouterControl/Sync", message)
    assert (decision.verdict is Verdict.ALLOWED) is allowed
