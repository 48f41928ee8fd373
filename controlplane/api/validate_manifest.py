"""What a version's manifest must be. Every violation is named, by its field."""

import re
from collections.abc import Iterable
from datetime import date

from controlplane.api.validate import Check
from controlplane.model import cron
from nearhop import names, spec_codec
from nearhop.spec import Dialect, Manifest
from nearhop.v1 import common_pb2

MANIFEST_BYTES = 64 << 10
_VARS_MAX = 128  # Workers' paid plan, and 5 KB each
_VAR_BYTES = 5 << 10
_SECRETS_MAX = 128
_CRONS_MAX = 50
_RATE_LIMITERS_MAX = 16
_RATE_LIMIT_MAX = 1_000_000
_PERIODS_S = (10, 60)  # the two that Workers knows
_HANDLERS_MAX = 16
_FLAGS_MAX = 64
_PATTERNS_MAX = 256
_PATTERN_CHARACTERS = 512
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXPORT = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,127}")


def manifest(check: Check, message: common_pb2.Manifest, dialect: Dialect | None) -> Manifest:
    """Return the manifest of a version of *dialect*."""
    size = message.ByteSize()
    if size > MANIFEST_BYTES:
        check.add("manifest", [f"has {size} bytes; at most {MANIFEST_BYTES} are allowed"])
        return Manifest()
    _vars(check, message)
    _count(check, "manifest.secrets", message.secrets, _SECRETS_MAX)
    for number, name in enumerate(message.secrets):
        check.add(f"manifest.secrets[{number}]", names.variable_reasons(name))
    _count(check, "manifest.crons", message.crons, _CRONS_MAX)
    for number, text in enumerate(message.crons):
        check.add(f"manifest.crons[{number}]", cron.reasons(text))
    _rate_limiters(check, message)
    _assets(check, message, dialect)
    _bindings(check, message)
    _labels(check, "manifest.handlers", message.handlers, _HANDLERS_MAX)
    _labels(check, "manifest.compatibility_flags", message.compatibility_flags, _FLAGS_MAX)
    _date(check, message.compatibility_date)
    _patterns(check, "manifest.matchers", message.matchers)
    _patterns(check, "manifest.edge_routes", (route.path for route in message.edge_routes))
    for number, route in enumerate(message.edge_routes):
        if not _EXPORT.fullmatch(route.export):
            check.add(f"manifest.edge_routes[{number}].export", ["is not the name of an export"])
    return spec_codec.read_manifest(message)


def _vars(check: Check, message: common_pb2.Manifest) -> None:
    _count(check, "manifest.vars", message.vars, _VARS_MAX)
    for name, value in sorted(message.vars.items()):
        check.add(f"manifest.vars[{name}]", names.variable_reasons(name))
        if (size := len(value.encode())) > _VAR_BYTES:
            check.add(f"manifest.vars[{name}]", [f"has {size} bytes; at most {_VAR_BYTES} are allowed"])


def _rate_limiters(check: Check, message: common_pb2.Manifest) -> None:
    _count(check, "manifest.rate_limiters", message.rate_limiters, _RATE_LIMITERS_MAX)
    for number, limiter in enumerate(message.rate_limiters):
        field = f"manifest.rate_limiters[{number}]"
        check.add(f"{field}.name", names.variable_reasons(limiter.name))
        if not 1 <= limiter.limit <= _RATE_LIMIT_MAX:
            check.add(f"{field}.limit", [f"is {limiter.limit}; 1 to {_RATE_LIMIT_MAX} is allowed"])
        if limiter.period_s not in _PERIODS_S:
            check.add(f"{field}.period_s", [f"is {limiter.period_s}; 10 or 60 is allowed"])


def _assets(check: Check, message: common_pb2.Manifest, dialect: Dialect | None) -> None:
    if not message.HasField("assets"):
        if dialect is Dialect.STATIC:
            check.add("manifest.assets", ["must be there: a version of DIALECT_STATIC has nothing else"])
        return
    assets = message.assets
    check.add("manifest.assets.digest", names.digest_reasons(assets.digest))
    if assets.binding:
        check.add("manifest.assets.binding", names.variable_reasons(assets.binding))
    if assets.html_handling not in common_pb2.Assets.HtmlHandling.values():
        check.add("manifest.assets.html_handling", [f"{assets.html_handling} is not known"])
    if assets.not_found_handling not in common_pb2.Assets.NotFoundHandling.values():
        check.add("manifest.assets.not_found_handling", [f"{assets.not_found_handling} is not known"])
    paths = (path.removeprefix("!") for path in assets.program_first_paths)
    _patterns(check, "manifest.assets.program_first_paths", paths)


def _bindings(check: Check, message: common_pb2.Manifest) -> None:
    if message.version_binding:
        check.add("manifest.version_binding", names.variable_reasons(message.version_binding))
    given = [*message.vars, *(limiter.name for limiter in message.rate_limiters), message.version_binding]
    given += [message.assets.binding] if message.HasField("assets") else []
    for name in sorted({name for name in given if name and given.count(name) > 1}):
        check.add("manifest", [f"gives the name {name} to two bindings"])


def _labels(check: Check, field: str, values: Iterable[str], maximum: int) -> None:
    found = list(values)
    _count(check, field, found, maximum)
    for number, value in enumerate(found):
        if not _LABEL.fullmatch(value):
            check.add(f"{field}[{number}]", ["may hold only letters, digits and _ . -, at most 64"])


def _date(check: Check, value: str) -> None:
    try:
        sound = not value or date.fromisoformat(value).isoformat() == value
    except ValueError:
        sound = False
    if not sound:
        check.add("manifest.compatibility_date", [f"{value[:20]!r} is not a date such as 2026-01-31"])


def _patterns(check: Check, field: str, values: Iterable[str]) -> None:
    found = list(values)
    _count(check, field, found, _PATTERNS_MAX)
    for number, value in enumerate(found):
        if not value.startswith("/") or len(value) > _PATTERN_CHARACTERS or not value.isprintable():
            check.add(
                f"{field}[{number}]", [f"must begin with /, and be at most {_PATTERN_CHARACTERS} printable characters"]
            )


def _count(check: Check, field: str, values: "Iterable[object]", maximum: int) -> None:
    if (count := len(list(values))) > maximum:
        check.add(field, [f"holds {count}; at most {maximum} are allowed"])
