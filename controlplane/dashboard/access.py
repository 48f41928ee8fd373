"""Who a browser is: sessions, their CSRF tokens, and which requests may act.

A session lives in this process; its cookie is a random key and nothing else, so an API token never reaches the browser's storage. A session
without a token is anonymous: the API decides what that may do.
"""

import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

COOKIE = "nearhop_session"
CSRF_HEADER = "x-nearhop-csrf"
SESSION_IDLE_S = 12 * 3600.0
SESSIONS_MAX = 4096


@dataclass(slots=True)
class Session:
    """*csrf* is told to the page, never in a cookie: another site's page can neither read nor guess it."""

    key: str
    csrf: str
    used_at: float
    token: str | None = None
    name: str = field(default="")


class Sessions:
    """All sessions of this process; the longest unused go first when there are too many, anonymous ones before those that signed in."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def find(self, key: str | None) -> Session | None:
        """Return the session with *key* when it is alive, and mark it used."""
        session = self._sessions.get(key or "")
        if session is None:
            return None
        now = time.monotonic()
        if now - session.used_at > SESSION_IDLE_S:
            del self._sessions[session.key]
            return None
        session.used_at = now
        self._sessions.move_to_end(session.key)
        return session

    def start(self, token: str | None = None) -> Session:
        """Start a session with a new key: signing in changes the key, so that a planted one is worth nothing."""
        if len(self._sessions) >= SESSIONS_MAX:
            oldest = next((key for key, session in self._sessions.items() if session.token is None), None)
            del self._sessions[oldest or next(iter(self._sessions))]
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), time.monotonic(), token)
        self._sessions[session.key] = session
        return session

    def end(self, session: Session) -> None:
        """Forget *session*."""
        self._sessions.pop(session.key, None)


def host_reason(host: str, hostnames: Iterable[str]) -> str:
    """Say why a Host header is refused; empty when it is accepted.

    A name that is not ours may have been pointed here by whoever owns it; an address cannot.
    """
    name = (urlsplit(f"//{host}").hostname or "") if _parses(host) else ""
    if name == "localhost" or name in hostnames or _is_address(name):
        return ""
    return f'this dashboard does not answer as "{name}": add it to hostnames in its configuration'


def act_reason(headers: Mapping[str, str], session: Session | None) -> str:
    """Say why a request that would change something is refused; empty when it may go on."""
    if session is None:
        return "there is no session: load the page anew"
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return "the request comes from another site"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return "the request comes from another origin"
    if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
        return "the CSRF token is missing or wrong: load the page anew"
    return ""


def _parses(host: str) -> bool:
    try:
        urlsplit(f"//{host}").hostname  # noqa: B018 (raises on brackets that do not match)
    except ValueError:
        return False
    return True


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
