"""redirects, rewrites and headers of vercel.json: what they do is what Vercel's own package makes of them (answers/routing.json)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.dialects.routing_rules import RECORDED, RULES
from tests.node.sandbox.guests import Boot, Booted, booting

HOST = "a.example.org"
CATCH = "export const rest = { default: (request) => Response.json(Object.fromEntries(new URL(request.url).searchParams)) };"
MANIFEST = {"edge_routes": [{"path": "/[...path]", "export": "rest"}]}


@pytest.fixture
async def boot(tmp_path: Path, real: None) -> AsyncIterator[Boot]:
    async with booting(tmp_path) as boot:
        yield boot


def program(kind: str, rule: dict[str, Any]) -> str:
    status = rule.get("statusCode") or (308 if rule.get("permanent", True) else 307)
    made = {"redirects": [], "rewrites": [], "headers": []} | {kind: [{**rule, "status": status}]}
    return f"{CATCH} export const vercelJson = {json.dumps({'routing': made})};"


async def done(guest: Booted, kind: str, rule: dict[str, Any], path: str, headers: dict[str, str]) -> Any:
    """Return what the guest does of what the package tells, in the package's form."""
    answer = await guest.get(path, host=HOST, **headers)
    if kind == "redirects":
        return [answer.status_code, answer.headers["location"]] if answer.status_code >= 300 else None
    if kind == "headers":
        return {
            name: answer.headers[name] for name in answer.headers if name in ("x-a", "x-b", "cache-control")
        } or None
    found = answer.json()
    asked = urlsplit(path)
    same = found.pop("path") == asked.path.removeprefix("/") and found == dict(parse_qsl(asked.query))
    return None if same else found | {"path": answer.json()["path"]}


def expected(kind: str, told: Any, path: str) -> Any:
    if told is None:
        return None
    if kind == "headers":
        return {name.lower(): value for name, value in told.items()}
    asked = dict(parse_qsl(urlsplit(path).query))
    if kind == "redirects":  # the client's query goes along, under the destination's own
        joined = "&".join(f"{name}={value}" for name, value in asked.items() if f"{name}=" not in told[1])
        return [told[0], told[1] + (joined and ("&" if "?" in told[1] else "?") + joined)]
    to = urlsplit(told)
    return asked | dict(parse_qsl(to.query, keep_blank_values=True)) | {"path": to.path.removeprefix("/")}


def stays(number: int) -> bool:
    """Whether the rule leads to no other host; tests/node/sandbox/test_vercel_json.py has those that do."""
    return RULES[number]["kind"] != "rewrites" or RULES[number]["rule"]["destination"].startswith("/")


@pytest.mark.parametrize("number", list(filter(stays, range(len(RULES)))))
async def test_a_rule_does_what_vercel_makes_of_it(boot: Boot, number: int) -> None:
    kind, rule, asked = (RULES[number][key] for key in ("kind", "rule", "asked"))
    told = json.loads(RECORDED.read_text())[number]
    guest = await boot(program(kind, rule), "vercel", manifest=MANIFEST)
    assert guest.error == ""
    for (path, *headers), one in zip(asked, told["answers"], strict=True):
        if kind == "rewrites" and path == "/" and one is None:
            continue  # no function answers it
        assert await done(guest, kind, rule, path, headers[0] if headers else {}) == expected(kind, one, path), path
