"""The whole key layout.

    /nearhop/functions/<fn>              Function
    /nearhop/versions/<fn>/<n>           Version
    /nearhop/manifests/<sha256>          Bundle: size and number of chunks, written after the last chunk
    /nearhop/bundles/<sha256>/<chunk>    raw bytes, <= 512 KiB each
    /nearhop/deployments/<fn>            Deployment
    /nearhop/secrets/<fn>/<name>         Secret: its value is sealed
    /nearhop/claims/<host>/<path>        the function that answers a path of a hostname which is its owner's; a whole hostname is its path /
    /nearhop/crons/<fn>                  CronMarks: how far its crons have been called
    /nearhop/calls/<id>                  ScheduledCall: one that a node is to make or makes
    /nearhop/nodes/<id>                  Node
    /nearhop/health/<id>                 NodeReport, bound to the node's lease
    /nearhop/events/<random>             Event
    /nearhop/presence/<id>               Presence: what the events have told of a node last
    /nearhop/requests/<id>               the answer to a mutating call, bound to a lease of an hour or two
    /nearhop/leaders/<controller>        who works as that controller, bound to the leader's lease

Each part of a key is percent-encoded, so that none can hold a "/". bundles/ sorts before all the others: the range from WATCH_BEGIN to WATCH_END
is everything but the chunks.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

WATCH_BEGIN = "/nearhop/bundles0"  # "0" follows "/"
WATCH_END = "/nearhop0"

_ROOT = "/nearhop"
_BUNDLES = f"{_ROOT}/bundles/"


class Kind(StrEnum):
    """The kinds of record that the cache holds."""

    FUNCTIONS = "functions"
    VERSIONS = "versions"
    MANIFESTS = "manifests"
    DEPLOYMENTS = "deployments"
    SECRETS = "secrets"
    CRONS = "crons"
    CALLS = "calls"
    NODES = "nodes"
    HEALTH = "health"
    EVENTS = "events"
    PRESENCE = "presence"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A record's key; *number* is 0 but for versions, *item* empty but for secrets."""

    kind: Kind
    name: str
    number: int = 0
    item: str = ""

    def __str__(self) -> str:
        base = f"{_ROOT}/{self.kind}/{_part(self.name)}"
        match self.kind:
            case Kind.VERSIONS:
                return f"{base}/{self.number}"
            case Kind.SECRETS:
                return f"{base}/{_part(self.item)}"
            case _:
                return base


def parse(path: str) -> Key | None:
    """Return the key that *path* spells, or None when it is not a record's."""
    match path.split("/"):
        case ["", "nearhop", Kind.VERSIONS.value, name, number] if name and number.isascii() and number.isdigit():
            key = Key(Kind.VERSIONS, unquote(name), int(number))
        case ["", "nearhop", Kind.SECRETS.value, name, item] if name and item:
            key = Key(Kind.SECRETS, unquote(name), item=unquote(item))
        case ["", "nearhop", kind, name] if name and kind in _FLAT:
            key = Key(Kind(kind), unquote(name))
        case _:
            return None
    return key if str(key) == path else None


def prefix(kind: Kind) -> str:
    """Return what all keys of *kind* start with."""
    return f"{_ROOT}/{kind}/"


def versions_of(function: str) -> str:
    """Return what the keys of all versions of *function* start with."""
    return f"{prefix(Kind.VERSIONS)}{_part(function)}/"


def secrets_of(function: str) -> str:
    """Return what the keys of all secrets of *function* start with."""
    return f"{prefix(Kind.SECRETS)}{_part(function)}/"


def claim(hostname: str, path: str) -> str:
    """Return the key whose value names the function that answers *path* of *hostname*."""
    return f"{_ROOT}/claims/{_part(hostname)}/{_part(path)}"


def request(request_id: str) -> str:
    """Return the key of the answer to *request_id*."""
    return f"{_ROOT}/requests/{_part(request_id)}"


def leader(controller: str) -> str:
    """Return the key that the leader of *controller* holds."""
    return f"{_ROOT}/leaders/{_part(controller)}"


def chunks() -> str:
    """Return what all chunks' keys start with."""
    return _BUNDLES


def chunks_of(digest: str) -> str:
    """Return what the keys of all chunks of *digest* start with."""
    return f"{_BUNDLES}{_part(digest)}/"


def chunk(digest: str, number: int) -> str:
    """Return the key of one chunk; chunks count from 0 and sort in order."""
    return f"{chunks_of(digest)}{number:04d}"


def chunk_digest(path: str) -> str:
    """Return the digest in a chunk's key."""
    return unquote(path.removeprefix(_BUNDLES).partition("/")[0])


def range_end(start: str) -> str:
    """Return the first key after all that start with *start*, which ends in "/"."""
    return f"{start[:-1]}0"


_FLAT = frozenset(kind.value for kind in Kind if kind not in {Kind.VERSIONS, Kind.SECRETS})


def _part(text: str) -> str:
    return quote(text, safe="")
