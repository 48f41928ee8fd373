"""The rules that find a request's route. Pure.

Nearly every request is for a plain hostname, whose entry of the host map is its route: slot|function|version|milliseconds to answer. Two
rules settle that. What takes more is marked by the entry's first character, and only such requests go on: `/` names the path map, `%` a
table of a hundred shares, `!` limits of its own, which follow the route.
"""

from node.haproxy.settings import ASSETS, HOSTS, PATHS, PICKS, STATIC

VERSION_HEADER = "x-nearhop-version"  # asks for one version of the deployment
VERSION_KEY = "x-nearhop-version-key"  # whose requests all go to the same version: a header
VERSION_COOKIE = "nearhop-version-key"  # the same as a cookie
SHARES = 100
# The fields of a route after the four that every route has: the first stands alone too, the others are limits of its own.
EPOCH, BODY, CONCURRENCY, RATE, PERIOD, FILES = range(5, 11)
SHARE = 6  # of a route without limits of its own: how many requests in flight one of several sandboxes may have
_HOST = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\.?(:[0-9]{1,5})?$"
_LIMITED = "{ var(txn.limits) -m found }"


def rules() -> list[str]:
    """Render the rules, in order; they end with txn.route, or without it when there is no such function."""
    lines = [
        f"set-var(txn.route) req.fhdr(host),map_str({HOSTS})",
        "accept if { var(txn.route) -m beg s c }",
        *_any(),
        *_by_name(),
        *_any(),
        "accept if { var(txn.route) -m beg s c }",
        *_by_share(),
        *_limits(),
        *_assets(),
    ]
    return [f"tcp-request content {line}" for line in lines]


def field(number: int) -> str:
    return f"var(txn.limits),field({number},|)"


def _any() -> list[str]:
    found = "{ var(txn.sandbox) -m found }"
    return [
        f"set-var-fmt(txn.sandbox) %[var(txn.route)]:%[rand({SHARES})] if {{ var(txn.route) -m beg + }}",
        f"set-var(txn.route) var(txn.sandbox),map_str({PICKS}) if {found}",
        f"accept if {found} {{ var(txn.route) -m beg s c }}",
    ]


def _by_name() -> list[str]:
    return [
        f"set-var(txn.host) req.fhdr(host),host_only,lower,rtrim(.) if {{ req.fhdr(host) -m reg -i {_HOST} }}",
        f"set-var(txn.route) var(txn.host),map_str({HOSTS})",
        # A path's keys end with a slash, and so does what is looked up: the longest prefix of whole segments wins.
        "set-var-fmt(txn.key) %[var(txn.host)]%[path]/ if { var(txn.route) -m str / }",
        "unset-var(txn.route) if { var(txn.key) -m found }",
        f"set-var(txn.route) var(txn.key),map_beg({PATHS}) if {{ var(txn.key) -m found }}",
    ]


def _by_share() -> list[str]:
    several = "{ var(txn.pick) -m found }"
    wished = f"{several} {{ req.fhdr({VERSION_HEADER}) -m found }}"
    return [
        "set-var(txn.pick) var(txn.route) if { var(txn.route) -m beg % }",
        f"set-var-fmt(txn.wish) %[var(txn.pick)]@%[req.fhdr({VERSION_HEADER})] if {wished}",
        "set-var-fmt(txn.wished) %[var(txn.wish)]:0 if { var(txn.wish) -m found }",
        f"set-var(txn.pick) var(txn.wish) if {{ var(txn.wished),map_str({PICKS}) -m found }}",
        f"set-var(txn.share) rand({SHARES}) if {several}",
        f"set-var-fmt(txn.who) %[var(txn.pick)]%[req.cook({VERSION_COOKIE})] if {several} {{ req.cook({VERSION_COOKIE}) -m found }}",
        f"set-var-fmt(txn.who) %[var(txn.pick)]%[req.fhdr({VERSION_KEY})] if {several} {{ req.fhdr({VERSION_KEY}) -m found }}",
        f"set-var(txn.share) var(txn.who),crc32,mod({SHARES}) if {{ var(txn.who) -m found }}",
        f"set-var-fmt(txn.pick) %[var(txn.pick)]:%[var(txn.share)] if {several}",
        f"set-var(txn.route) var(txn.pick),map_str({PICKS}) if {several}",
    ]


def _limits() -> list[str]:
    return [
        "set-var(txn.limits) var(txn.route),ltrim(!) if { var(txn.route) -m beg ! }",
        f"set-var(txn.route) var(txn.limits) if {_LIMITED}",
    ]


def _assets() -> list[str]:
    found = f"{{ var(txn.asset),map_str({ASSETS}) -m found }}"
    rest = "|".join(f"%[var(txn.limits),field({number},|)]" for number in range(2, 6))
    return [
        f"set-var-fmt(txn.asset) %[{field(FILES)}]|%[path] if {_LIMITED}",
        f"set-var-fmt(txn.route) {STATIC}|{rest} if {found}",
    ]
