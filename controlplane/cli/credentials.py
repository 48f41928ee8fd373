"""The commands on tokens and identities: one call each, shown as a table, sentences or JSON."""

from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.client import show
from controlplane.client.failure import Exit, Failure
from controlplane.client.rpc import TIMEOUT_S, Connection, request_id
from nearhop import spiffe
from nearhop.enroll import ROLES
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2 as pb

_API_ROLES = {
    "viewer": pb.API_ROLE_VIEWER,
    "deployer": pb.API_ROLE_DEPLOYER,
    "admin": pb.API_ROLE_ADMIN,
}
_API_NAMES = {number: name for name, number in _API_ROLES.items()}
_PARTS = {number: role for role, number in ROLES.items()}


async def create_api(
    connection: Connection, name: str, role: str, *, functions: list[str], ttl_s: float, json: bool
) -> None:
    """Make an API token and print it."""
    request = pb.CreateApiTokenRequest(
        request_id=request_id(), name=name, role=_API_ROLES[role], functions=functions, ttl_s=ttl_s
    )
    made = await connection.tokens.CreateApiToken(request, timeout=TIMEOUT_S)
    _print_secret({**_api(made.token), "token": made.secret}, json=json)


async def create_join(
    connection: Connection, name: str, role: str, *, region: str, ttl_s: float, replace: bool, json: bool
) -> None:
    """Make a join token and print it."""
    part = pb.Part(role=ROLES[Role(role)], region=region, id=name)
    request = pb.CreateJoinTokenRequest(request_id=request_id(), part=part, ttl_s=ttl_s, replace=replace)
    made = await connection.tokens.CreateJoinToken(request, timeout=TIMEOUT_S)
    _print_secret({**_join(made.token), "token": made.secret}, json=json)


async def list_tokens(connection: Connection, *, json: bool) -> None:
    """Print all tokens."""
    api = await connection.tokens.ListApiTokens(pb.ListApiTokensRequest(), timeout=TIMEOUT_S)
    joins = await connection.tokens.ListJoinTokens(pb.ListJoinTokensRequest(), timeout=TIMEOUT_S)
    values = [_api(token) for token in api.tokens] + [_join(token) for token in joins.tokens]
    if json:
        show.emit(values)
        return
    rows = [
        (it["id"], it["name"], it["role"], ", ".join(it["functions"]) or "-", it["expires_at"] or "never", it["used_at"] or "-")
        for it in values
    ]  # fmt: skip
    show.show(show.table(("id", "name", "role", "functions", "expires", "last used"), rows, flexible="functions"))


async def revoke_token(connection: Connection, token_id: str) -> None:
    """End the API token or the join token of that id."""
    try:
        request = pb.RevokeApiTokenRequest(request_id=request_id(), id=token_id)
        await connection.tokens.RevokeApiToken(request, timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        join = pb.RevokeJoinTokenRequest(request_id=request_id(), id=token_id)
        await connection.tokens.RevokeJoinToken(join, timeout=TIMEOUT_S)
    show.say(show.line(f"{token_id} is revoked."))


async def list_identities(connection: Connection, *, json: bool) -> None:
    """Print all parts that have joined."""
    listed = await connection.identity.ListIdentities(pb.ListIdentitiesRequest(), timeout=TIMEOUT_S)
    values: list[dict[str, Any]] = [
        {
            "name": _path(record.part),
            "uri": record.name,
            "revoked": record.revoked,
            "reason": record.reason,
            "joined_at": _time(record, "joined_at"),
            "revoked_at": _time(record, "revoked_at"),
        }
        for record in listed.identities
    ]
    if json:
        show.emit(values)
        return
    rows = [
        (value["name"], value["joined_at"] or "-", f"revoked {value['revoked_at']} {value['reason']}" if value["revoked"] else "good")
        for value in values
    ]  # fmt: skip
    show.show(show.table(("name", "joined", "state"), rows, flexible="state"))


async def revoke_identity(connection: Connection, name: str, reason: str) -> None:
    """Revoke the part that *name*, such as node/tokyo/tokyo-1, names. Raises InvalidInput."""
    part = spiffe.parse_path(name)
    request = pb.RevokeIdentityRequest(
        request_id=request_id(), part=pb.Part(role=ROLES[part.role], region=part.region, id=part.id), reason=reason
    )
    await connection.identity.RevokeIdentity(request, timeout=TIMEOUT_S)
    show.say(f"{name} is revoked; it comes back only with a new join token.")


async def whoami(connection: Connection, *, json: bool) -> None:
    """Print whom the control plane takes the caller for."""
    me = await connection.identity.WhoAmI(pb.WhoAmIRequest(), timeout=TIMEOUT_S)
    value = {
        "name": me.name,
        "role": _API_NAMES.get(me.role),
        "functions": list(me.functions),
        "expires_at": _time(me, "expires_at"),
    }
    if json:
        show.emit(value)
    else:
        functions = f" for {', '.join(me.functions)}" if me.functions else ""
        show.say(show.line(f"{me.name}: {value['role']}{functions}, expires {value['expires_at'] or 'never'}"))


def _print_secret(value: dict[str, Any], *, json: bool) -> None:
    if json:
        show.emit(value)
        return
    # The token alone goes to standard output, so that it can be piped into a file.
    show.note(f"{value['role']} {value['name']}, expires {value['expires_at'] or 'never'}; it is shown only now:")
    show.say(value["token"])


def _api(token: pb.ApiToken) -> dict[str, Any]:
    role = _API_NAMES.get(token.role)
    if role is None:
        raise Failure("the control plane speaks of a role that this command does not know", status=Exit.FAILED)
    return {
        "id": token.id,
        "name": token.name,
        "role": role,
        "functions": list(token.functions),
        "expires_at": _time(token, "expires_at"),
        "used_at": _time(token, "last_used_at"),
    }


def _join(token: pb.JoinToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.part.id,
        "role": f"join {_path(token.part)}",
        "functions": [],
        "expires_at": _time(token, "expires_at"),
        "used_at": None,
    }


def _path(part: pb.Part) -> str:
    role = _PARTS.get(part.role)
    return Part(role, part.id, part.region).path if role else part.id


def _time(message: Any, field: str) -> str | None:
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return datetime.fromtimestamp(stamp.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
