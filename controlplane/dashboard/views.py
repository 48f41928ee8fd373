"""The JSON views: a session, the live stream, details, decisions and the few actions. Each speaks to the API in the caller's name."""

import ipaddress
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from controlplane.dashboard import access, render, replies
from controlplane.dashboard.access import Session, Sessions
from controlplane.dashboard.control import Caller, ControlError, ControlPlanes
from controlplane.dashboard.feed import Feed, Feeds, TooManyPages
from controlplane.dashboard.render import Json
from nearhop import log
from nearhop.v1 import deployments_pb2, events_pb2, functions_pb2, nodes_pb2, routing_pb2, versions_pb2

BODY_MAX_BYTES = 16 * 1024
TOKEN_MAX = 4096
EVENTS_PAGE = 100

View = Callable[[Request], Awaitable[Response]]
Work = Callable[["Views", Request, Session], Awaitable[Response]]

_log = log.get(__name__)


class BadRequest(Exception):
    """A request that was refused before the control plane saw it."""


def view(*, acts: bool = False) -> Callable[[Work], Callable[["Views", Request], Awaitable[Response]]]:
    """Make *work* a view: a session is needed, one that may act when it *acts*; errors become replies."""

    def wrap(work: Work) -> Callable[["Views", Request], Awaitable[Response]]:
        async def run(self: "Views", request: Request) -> Response:
            session = self.sessions.find(request.cookies.get(access.COOKIE))
            if acts and (reason := access.act_reason(request.headers, session)):
                _log.warning("refused a request that would act", reason=reason, path=request.url.path)
                return replies.refusal(403, "CSRF", reason)
            if session is None:
                return replies.refusal(401, "NO_SESSION", "there is no session: load the page anew")
            try:
                return await work(self, request, session)
            except ControlError as error:
                return replies.control_refusal(error)
            except BadRequest as error:
                return replies.refusal(400, "BAD_REQUEST", str(error))
            except TooManyPages:
                return replies.refusal(503, "TOO_MANY_PAGES", "too many pages listen to this dashboard")

        return run

    return wrap


@dataclass(frozen=True)
class Views:
    """The views over one set of control planes."""

    control: ControlPlanes
    feeds: Feeds
    sessions: Sessions
    secure_cookie: bool

    async def open_session(self, request: Request) -> Response:
        """Tell the page who it is; start an anonymous session when there is none."""
        session = self.sessions.find(request.cookies.get(access.COOKIE)) or self.sessions.start()
        try:
            await self._check(session.token)
            state = "anonymous" if session.token is None else "signed_in"
        except ControlError as error:
            if error.code not in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
                state = (
                    "anonymous" if session.token is None else "signed_in"
                )  # not known now; the link says what is wrong
            else:
                state = "token_required"
        return self._session_reply(session, state)

    @view(acts=True)
    async def sign_in(self, request: Request, session: Session) -> Response:
        """Trade an API token, which the API must accept, for a session."""
        body = await _body(request)
        token = body.get("token")
        # What may stand in a header of HTTP/2: visible ASCII.
        if (
            not isinstance(token, str)
            or not 0 < len(token) <= TOKEN_MAX
            or not token.isascii()
            or not token.isprintable()
        ):
            raise BadRequest("token: must be an API token, as `nearhop token create` printed it")
        await self._check(token.strip())
        self.sessions.end(session)
        _log.info("signed in")
        return self._session_reply(self.sessions.start(token.strip()), "signed_in")

    @view(acts=True)
    async def sign_out(self, _request: Request, session: Session) -> Response:
        """End the session; its token is forgotten."""
        self.sessions.end(session)
        reply = replies.data({})
        reply.delete_cookie(access.COOKIE, httponly=True, samesite="strict", secure=self.secure_cookie)
        return reply

    @view()
    async def stream(self, _request: Request, session: Session) -> Response:
        """The live stream: server-sent events `state`, `patch`, `flows`, `events`, `link`."""
        pages = self.feeds.get(session.token).page()
        try:
            first = await anext(pages)
        except StopAsyncIteration:
            first = ""

        async def whole() -> Any:
            try:
                yield first
                async for message in pages:
                    if self.sessions.find(session.key) is None:
                        return  # signed out elsewhere
                    yield message
            finally:
                await pages.aclose()  # type: ignore[attr-defined]  # it is a generator

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(whole(), media_type="text/event-stream", headers=headers)

    @view()
    async def fleet(self, _request: Request, session: Session) -> Response:
        """The whole state at once, as the stream's first message has it."""
        return replies.data(await self._feed(session).state())

    @view()
    async def function(self, request: Request, session: Session) -> Response:
        """One function with its versions, its deployment and what each node says of it."""
        name, caller = request.path_params["name"], Caller(session.token)
        function = await self.control.call(caller, lambda api, who, limit: api.functions.GetFunction(
            functions_pb2.GetFunctionRequest(name=name), metadata=who, timeout=limit))  # fmt: skip
        versions = await self.control.call(caller, lambda api, who, limit: api.versions.ListVersions(
            versions_pb2.ListVersionsRequest(function=name), metadata=who, timeout=limit))  # fmt: skip
        nodes = await self.control.call(caller, lambda api, who, limit: api.nodes.ListNodes(
            nodes_pb2.ListNodesRequest(), metadata=who, timeout=limit))  # fmt: skip
        return replies.data(
            {
                "function": render.function(function),
                "versions": [render.version(item) for item in versions.versions],
                "deployment": await self._deployment(caller, name),
                "nodes": [_on_node(node, name) for node in nodes.nodes],
            }
        )

    @view()
    async def node(self, request: Request, session: Session) -> Response:
        """One node with its placements and sandboxes."""
        name = request.path_params["name"]
        node = await self.control.call(Caller(session.token), lambda api, who, limit: api.nodes.GetNode(
            nodes_pb2.GetNodeRequest(id=name), metadata=who, timeout=limit))  # fmt: skip
        return replies.data(
            {
                "node": render.node(node),
                "placements": [render.placement(item) for item in node.report.placements],
                "sandboxes": [render.sandbox(item) for item in node.report.sandboxes],
            }
        )

    @view()
    async def events(self, request: Request, session: Session) -> Response:
        """Older events, from `before` backwards."""
        before = request.query_params.get("before", "0")
        if not before.isascii() or not before.isdigit() or int(before) >= 2**64:
            raise BadRequest("before: must be an event's id")
        query = events_pb2.ListEventsRequest(
            limit=EVENTS_PAGE,
            before_id=int(before),
            function=request.query_params.get("function", ""),
            node=request.query_params.get("node", ""),
        )
        listed = await self.control.call(
            Caller(session.token), lambda api, who, limit: api.events.ListEvents(query, metadata=who, timeout=limit)
        )
        return replies.data({"events": [render.event(item) for item in listed.events], "more": listed.more})

    @view()
    async def explain(self, request: Request, session: Session) -> Response:
        """Where a client goes and why: `ip`, or `latitude` and `longitude` with an optional `country`; `function`, `router`."""
        query = _explain_request(request)
        decision = await self.control.call(
            Caller(session.token), lambda api, who, limit: api.routing.Explain(query, metadata=who, timeout=limit)
        )
        return replies.data(render.decision(decision))

    @view(acts=True)
    async def drain(self, request: Request, session: Session) -> Response:
        """Take a node out of every answer."""
        query = nodes_pb2.DrainNodeRequest(request_id=_request_id(await _body(request)), id=request.path_params["name"])
        node = await self.control.call(
            Caller(session.token), lambda api, who, limit: api.nodes.DrainNode(query, metadata=who, timeout=limit)
        )
        return self._acted(session, "drained", node=query.id, reply=render.node(node))

    @view(acts=True)
    async def uncordon(self, request: Request, session: Session) -> Response:
        """Bring a drained node back."""
        query = nodes_pb2.UncordonNodeRequest(
            request_id=_request_id(await _body(request)), id=request.path_params["name"]
        )
        node = await self.control.call(
            Caller(session.token), lambda api, who, limit: api.nodes.UncordonNode(query, metadata=who, timeout=limit)
        )
        return self._acted(session, "uncordoned", node=query.id, reply=render.node(node))

    @view(acts=True)
    async def rollback(self, request: Request, session: Session) -> Response:
        """Start a deployment of an earlier version; the page follows its progress by reading the function."""
        body = await _body(request)
        version = body.get("to_version", 0)
        if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 2**32:
            raise BadRequest("to_version: must be a version's number, or 0 for the one before")
        query = deployments_pb2.RollbackRequest(
            request_id=_request_id(body), function=request.path_params["name"], to_version=version
        )

        async def first(api: Any, who: Any, limit: float) -> deployments_pb2.Deployment:
            call = api.deployments.Rollback(query, metadata=who, timeout=limit)
            try:
                started: deployments_pb2.Deployment = await call.read()
            finally:
                call.cancel()  # the deployment goes on without us
            return started

        started = await self.control.call(Caller(session.token), first)
        return self._acted(session, "rolled back", function=query.function, reply=render.deployment(started))

    def _acted(self, session: Session, what: str, *, reply: Json, **subject: str) -> Response:
        _log.info(what, **subject)
        self._feed(session).refresh()
        return replies.data(reply)

    def _feed(self, session: Session) -> Feed:
        return self.feeds.get(session.token)

    async def _check(self, token: str | None) -> None:
        await self.control.call(Caller(token), lambda api, who, limit: api.routing.ListRouters(
            routing_pb2.ListRoutersRequest(), metadata=who, timeout=limit))  # fmt: skip

    async def _deployment(self, caller: Caller, name: str) -> Json | None:
        try:
            found = await self.control.call(caller, lambda api, who, limit: api.deployments.GetDeployment(
                deployments_pb2.GetDeploymentRequest(function=name), metadata=who, timeout=limit))  # fmt: skip
        except ControlError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return render.deployment(found)

    def _session_reply(self, session: Session, state: str) -> Response:
        reply = replies.data({"state": state, "csrf": session.csrf})
        reply.set_cookie(
            access.COOKIE, session.key, path="/", httponly=True, samesite="strict", secure=self.secure_cookie
        )
        return reply


def _on_node(node: nodes_pb2.Node, function: str) -> Json:
    placements = [item for item in node.report.placements if item.function == function]
    return {
        "node": node.id,
        "region": node.region,
        "health": render.node(node)["health"],
        "placement": render.placement(placements[0]) if placements else None,
        "sandboxes": [render.sandbox(item) for item in node.report.sandboxes if item.function == function],
    }


def _explain_request(request: Request) -> routing_pb2.ExplainRequest:
    params = request.query_params
    query = routing_pb2.ExplainRequest(function=params.get("function", ""), router=params.get("router", ""))
    if "ip" in params:
        try:
            query.ip = str(ipaddress.ip_address(params["ip"].strip()))
        except ValueError as error:
            raise BadRequest(f"ip: {error}") from error
        return query
    try:
        latitude, longitude = float(params["latitude"]), float(params["longitude"])
    except (KeyError, ValueError) as error:
        raise BadRequest("give ip, or latitude and longitude in degrees") from error
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise BadRequest("latitude: must be within -90 and 90, longitude within -180 and 180")
    query.location.latitude, query.location.longitude = latitude, longitude
    query.country = params.get("country", "")
    return query


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise BadRequest("the body must be application/json")
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_MAX_BYTES:
            raise BadRequest(f"the body is over {BODY_MAX_BYTES} bytes")
    try:
        body = json.loads(received)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _request_id(body: dict[str, Any]) -> str:
    # The page sends its own, so that a press that is repeated after a lost reply acts once.
    given = body.get("request_id")
    return given if isinstance(given, str) and given else str(uuid.uuid4())
