"""What vercel.json says of requests: redirects, rewrites, headers, and paths that are called by schedule. Pure.

The rules go into the program's made entrypoint and are followed there (node/sandbox/guest/vercel). What they are made of is judged here; a source
that is no pattern is refused where it is compiled, when the version starts.
"""

import re
from collections.abc import Mapping
from typing import Any

from controlplane.bundle import rules
from controlplane.bundle.settings import Keys
from controlplane.model import cron

RULES_MAX = 2048
SOURCE_MAX = 4096
CRONS_MAX = 100
STATUSES = (301, 302, 303, 307, 308)
_CONDITIONS = ("header", "cookie", "query", "host")
_ELSEWHERE = re.compile(r"https?://[^/?#]")
# Numbers only, Sunday is 0: what Vercel takes. The platform counts Sunday as 1.
_FIELD = re.compile(r"(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?(?:,(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?)*", re.ASCII)
_WEEKDAYS = re.compile(r"(/?)(\d+)", re.ASCII)
_PATH = re.compile(r"/[\x21-\x7e]*")


def routing(keys: Keys) -> Mapping[str, Any] | None:
    """Return the rules as the guest reads them, None when there is none."""
    found = {
        "redirects": [_redirect(item) for item in _rules(keys, "redirects")],
        "headers": [_headers(item) for item in _rules(keys, "headers")],
        "rewrites": [_rewrite(item) for item in _rules(keys, "rewrites")],
    }
    return found if any(found.values()) else None


def _rules(keys: Keys, key: str) -> list[Keys]:
    found = keys.tables(key)
    if len(found) > RULES_MAX:
        keys.error(key, f"{len(found)} rules; at most {RULES_MAX} are allowed")
    return found[:RULES_MAX]


def _matcher(item: Keys) -> dict[str, Any]:
    source = item.text("source") or ""
    if not source.startswith("/") or len(source) > SOURCE_MAX:
        item.error("source", f"must be a path that begins with /, of at most {SOURCE_MAX} characters")
    found: dict[str, Any] = {"source": source}
    for key in ("has", "missing"):
        if conditions := [_condition(condition) for condition in item.tables(key)]:
            found[key] = conditions
    return found


def _condition(item: Keys) -> dict[str, str]:
    kind = item.one_of("type", _CONDITIONS)
    key, value = item.text("key"), item.text("value")
    if kind is None:
        item.error("type", f"must be one of {', '.join(_CONDITIONS)}")
    elif kind == "host" and value is None:
        item.error("value", "is missing: the host")
    elif kind != "host" and key is None:
        item.error("key", f"is missing: the name of the {kind}")
    _finish(item)
    return {name: text for name, text in (("type", kind), ("key", key), ("value", value)) if text is not None}


def _finish(item: Keys) -> None:
    item.rest(meaningful={key: "is not offered, and the rule would do something else without it" for key, _ in item.items()})  # fmt: skip


def _destination(item: Keys) -> str:
    destination = item.text("destination") or ""
    if not (destination.startswith("/") and not destination.startswith("//")) and not _ELSEWHERE.match(destination):
        item.error("destination", "must be a path that begins with /, or an http or https URL")
    return destination


def _redirect(item: Keys) -> dict[str, Any]:
    made = _matcher(item) | {"destination": _destination(item)}
    permanent, status = item.flag("permanent"), item.count("statusCode")
    if permanent is not None and status is not None:
        item.error("statusCode", "permanent says the status already")
    if status is not None and status not in STATUSES:
        item.error("statusCode", f"must be one of {', '.join(map(str, STATUSES))}")
    _finish(item)
    return made | {"status": status or (307 if permanent is False else 308)}


def _rewrite(item: Keys) -> dict[str, Any]:
    made = _matcher(item) | {"destination": _destination(item)}
    _finish(item)
    return made


def _headers(item: Keys) -> dict[str, Any]:
    made = _matcher(item)
    pairs = item.tables("headers")
    if not pairs:
        item.error("headers", "is missing: a list of key and value")
    found = []
    for pair in pairs:
        key, value = pair.text("key") or "", pair.text("value") or ""
        # A parameter may stand in a name: what is left of it must be one.
        for reason in rules.header_reasons(re.sub(r":\w+", "x", key), value):
            pair.error("key", reason)
        _finish(pair)
        found.append({"key": key, "value": value})
    _finish(item)
    return made | {"headers": found}


def crons(keys: Keys) -> tuple[tuple[str, str], ...]:
    """Return (schedule in the platform's form, path) of each scheduled call."""
    found = []
    for item in keys.tables("crons"):
        path, schedule = item.text("path") or "", item.text("schedule") or ""
        if not _PATH.fullmatch(path) or len(path) > 512:
            item.error("path", "must be a path that begins with /, of at most 512 characters")
        found.append((_schedule(item, schedule), path))
        _finish(item)
    if len(found) > CRONS_MAX:
        keys.error("crons", f"{len(found)} scheduled calls; at most {CRONS_MAX} are allowed")
    return tuple(dict.fromkeys(found))


def _schedule(item: Keys, text: str) -> str:
    fields = text.split()
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        item.error("schedule", f"{ascii(text)[:60]} has not five fields of numbers: minute hour day month weekday")
        return ""
    if fields[2] != "*" and fields[4] != "*":
        item.error("schedule", "one of day and weekday has to be *")
    weekday = _WEEKDAYS.sub(lambda match: match[0] if match[1] else str(int(match[2]) + 1), fields[4])
    made = " ".join([*fields[:4], weekday])
    for reason in cron.reasons(made):
        item.error("schedule", f"{text} {reason}")
    return made
