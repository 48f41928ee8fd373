"""The Identity and the Tokens service."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.api import validate
from controlplane.api.authentication import caller_of
from controlplane.api.errors import Denied
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.joining import Issued, Joining
from controlplane.identity.principal import ApiCaller, ApiRole, PartCaller
from controlplane.identity.records import ApiTokenRecord, JoinTokenRecord, PartRecord
from nearhop import spiffe
from nearhop.enroll import ROLES
from nearhop.errors import InvalidInput, Violation
from nearhop.spiffe import Part
from nearhop.v1 import identity_pb2 as pb
from nearhop.v1 import identity_pb2_grpc

_PARTS = {number: role for role, number in ROLES.items()}
_API_ROLES = {
    pb.API_ROLE_VIEWER: ApiRole.VIEWER,
    pb.API_ROLE_DEPLOYER: ApiRole.DEPLOYER,
    pb.API_ROLE_ADMIN: ApiRole.ADMIN,
}
_API_NUMBERS = {role: number for number, role in _API_ROLES.items()}


class Identity(identity_pb2_grpc.IdentityServicer):
    def __init__(self, joining: Joining, trust_domain: str) -> None:
        self._joining = joining
        self._trust_domain = trust_domain

    async def Join(self, request: pb.JoinRequest, _context: Any) -> pb.Certificate:
        return _certificate(await self._joining.join(request.token, read_part(request.part), request.csr))

    async def Renew(self, request: pb.RenewRequest, context: Any) -> pb.Certificate:
        caller = caller_of(context)
        if not isinstance(caller, PartCaller):
            raise Denied("NOT_ALLOWED", "only a part with a certificate can renew it")
        return _certificate(await self._joining.renew(caller, request.csr))

    async def WhoAmI(self, _request: pb.WhoAmIRequest, context: Any) -> pb.WhoAmIResponse:
        match caller_of(context):
            case ApiCaller(name=name, role=role, functions=functions, expires_at=expires_at):
                return pb.WhoAmIResponse(
                    name=name, role=_API_NUMBERS[role], functions=sorted(functions), expires_at=_time(expires_at)
                )
            case PartCaller(part=part, not_after=not_after):
                return pb.WhoAmIResponse(name=spiffe.uri(part, self._trust_domain), expires_at=_time(not_after))
            case nobody:
                raise Denied("NOT_ALLOWED", f"{nobody} is nobody")

    async def ListIdentities(self, _request: pb.ListIdentitiesRequest, _context: Any) -> pb.ListIdentitiesResponse:
        records = await self._joining.list_parts()
        return pb.ListIdentitiesResponse(identities=[self._identity(record) for record in records])

    async def RevokeIdentity(self, request: pb.RevokeIdentityRequest, _context: Any) -> pb.IdentityRecord:
        _request_id(request.request_id)
        return self._identity(await self._joining.revoke(read_part(request.part), request.reason))

    def _identity(self, record: PartRecord) -> pb.IdentityRecord:
        return pb.IdentityRecord(
            part=_part(record.part),
            name=spiffe.uri(record.part, self._trust_domain),
            revoked=record.revoked,
            reason=record.reason,
            joined_at=_time(record.joined_at),
            revoked_at=_time(record.revoked_at or None),
        )


class Tokens(identity_pb2_grpc.TokensServicer):
    def __init__(self, api_tokens: ApiTokens, joining: Joining) -> None:
        self._api_tokens = api_tokens
        self._joining = joining

    async def CreateApiToken(self, request: pb.CreateApiTokenRequest, _context: Any) -> pb.CreateApiTokenResponse:
        _request_id(request.request_id)
        role = _API_ROLES.get(request.role)
        if role is None:
            raise InvalidInput([Violation("role", "must be viewer, deployer or admin")])
        record, secret = await self._api_tokens.create(
            request.request_id, request.name, role, functions=request.functions, ttl_s=request.ttl_s
        )
        return pb.CreateApiTokenResponse(token=_api_token(record), secret=secret)

    async def ListApiTokens(self, _request: pb.ListApiTokensRequest, _context: Any) -> pb.ListApiTokensResponse:
        return pb.ListApiTokensResponse(tokens=[_api_token(record) for record in await self._api_tokens.list()])

    async def RevokeApiToken(self, request: pb.RevokeApiTokenRequest, _context: Any) -> pb.RevokeApiTokenResponse:
        _request_id(request.request_id)
        await self._api_tokens.revoke(request.id)
        return pb.RevokeApiTokenResponse()

    async def CreateJoinToken(self, request: pb.CreateJoinTokenRequest, _context: Any) -> pb.CreateJoinTokenResponse:
        _request_id(request.request_id)
        record, secret = await self._joining.create_token(
            request.request_id, read_part(request.part), ttl_s=request.ttl_s, replace=request.replace
        )
        return pb.CreateJoinTokenResponse(token=_join_token(record), secret=secret)

    async def ListJoinTokens(self, _request: pb.ListJoinTokensRequest, _context: Any) -> pb.ListJoinTokensResponse:
        return pb.ListJoinTokensResponse(tokens=[_join_token(record) for record in await self._joining.list_tokens()])

    async def RevokeJoinToken(self, request: pb.RevokeJoinTokenRequest, _context: Any) -> pb.RevokeJoinTokenResponse:
        _request_id(request.request_id)
        await self._joining.revoke_token(request.id)
        return pb.RevokeJoinTokenResponse()


def read_part(message: pb.Part) -> Part:
    """Return the part that *message* names. Raises InvalidInput."""
    role = _PARTS.get(message.role)
    if role is None:
        raise InvalidInput([Violation("part.role", "must be node or router")])
    part = Part(role, message.id, message.region)
    if violations := spiffe.reasons(part):
        raise InvalidInput([Violation(f"part.{it.field}", it.reason) for it in violations])
    return part


def _request_id(value: str) -> None:
    check = validate.Check()
    check.request_id(value)
    check.raise_if_any()


def _part(part: Part) -> pb.Part:
    return pb.Part(role=ROLES[part.role], region=part.region, id=part.id)


def _certificate(issued: Issued) -> pb.Certificate:
    message = pb.Certificate(chain=issued.chain, authorities=issued.authorities)
    message.not_before.FromDatetime(issued.certificate.not_valid_before_utc)
    message.not_after.FromDatetime(issued.certificate.not_valid_after_utc)
    return message


def _api_token(record: ApiTokenRecord) -> pb.ApiToken:
    return pb.ApiToken(
        id=record.id,
        name=record.name,
        role=_API_NUMBERS[record.role],
        functions=record.functions,
        created_at=_time(record.created_at),
        expires_at=_time(record.expires_at),
        last_used_at=_time(record.last_used_at),
    )


def _join_token(record: JoinTokenRecord) -> pb.JoinToken:
    return pb.JoinToken(
        id=record.id, part=_part(record.part), replace=record.replace, expires_at=_time(record.expires_at)
    )


def _time(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp
