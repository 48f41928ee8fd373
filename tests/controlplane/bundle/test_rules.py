"""_headers and _redirects: what is not followed is told, with its line."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from controlplane.bundle import rules

HEADERS = """
# everything
/*
  X-Frame-Options: DENY
  Link: </a>; rel=preload
/static/:name
  ! X-Frame-Options
  Cache-Control: public, max-age=31536000
https://:project.example.org/*
  X-Robots-Tag: noindex
"""


def test_headers() -> None:
    assert rules.parse_headers(HEADERS) == (
        [
            {"path": "/*", "set": [["x-frame-options", "DENY"], ["link", "</a>; rel=preload"]], "unset": []},
            {
                "path": "/static/:name",
                "set": [["cache-control", "public, max-age=31536000"]],
                "unset": ["x-frame-options"],
            },
            {"path": "https://:project.example.org/*", "set": [["x-robots-tag", "noindex"]], "unset": []},
        ],
        [],
    )
    assert rules.parse_headers("") == ([], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X-A: b", "line 1: a path must come before its headers"),
        ("/a\n\n  nonsense", "line 3: neither a path nor a header"),
        ("/a\n  A B: c", "line 2: 'A B' is no header's name"),
        ("/a\n  A:", "line 2: A has no value that can be sent"),
        ("/a\n  A: \u0100", "line 2: A has no value that can be sent"),
        ("/a\n  Content-Length: 5", "line 2: Content-Length is the server's own to set"),
        ("/a\n  ! Transfer-Encoding", "line 2: transfer-encoding is the server's own to set"),
        ("/a\n  X-Nearhop-Region: mars", "line 2: X-Nearhop-Region is the server's own to set"),
        ("/a\n  ! A B", "line 2: 'a b' is no header's name"),
        ("/a", "/a has no headers"),
        ("/a\n/b\n  X: y", "/a has no headers"),
        ("/a/*/*\n  X: y", "line 1: /a/*/* holds more than one *"),
        ("/:a/:a\n  X: y", "line 1: /:a/:a gives two placeholders one name"),
        ("/:splat/*\n  X: y", "gives two placeholders one name"),
        ("/:a:b\n  X: y", "line 1: /:a:b holds more than one placeholder between two slashes"),
        ("/a?b\n  X: y", "line 1: /a?b holds a query"),
        ("/ü\n  X: y", "percent-encode it"),
        ("http://example.org/\n  X: y", "is neither a path nor https://host/path"),
        ("https://exa*mple.org/\n  X: y", "names no host"),
        ("https:///x\n  X: y", "names no host"),
        ("/a\n  X: " + "y" * 2000, "line 2: has 2003 characters"),
        ("".join(f"/{n}\n  X: y\n" for n in range(101)), "101 rules; at most 100 are allowed"),
    ],
)
def test_bad_headers(text: str, reason: str) -> None:
    _, reasons = rules.parse_headers(text)
    assert reason in "\n".join(reasons)


def test_redirects() -> None:
    text = "# moved\n/old /new\n/a https://example.org/b 301 # for good\n/blog/:year/* /posts/:year/:splat 308\n/app/* /shell 200\n"
    found, reasons = rules.parse_redirects(text, "auto-trailing-slash")
    assert reasons == []
    assert [(rule["from"], rule["to"], rule["status"]) for rule in found] == [
        ("/old", "/new", 302),
        ("/a", "https://example.org/b", 301),
        ("/blog/:year/*", "/posts/:year/:splat", 308),
        ("/app/*", "/shell", 200),
    ]
    assert [rules.is_dynamic(rule) for rule in found] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/a", "line 1: has 1 words"),
        ("/a /b 301 x", "line 1: has 4 words"),
        ("\n/a /b 299", "line 2: 299 is none of the statuses"),
        ("/a /b 0x12d", "0x12d is none of the statuses"),
        ("a /b", "line 1: a does not begin with a slash"),
        ("https://example.org/a /b", "does not begin with a slash"),
        ("/a b", "b is neither a path nor an http or https URL"),
        ("/a javascript:alert(1)", "is neither a path"),
        ("/a //example.org", "is no place to go to"),
        ("/a /\\example.org", "is no place to go to"),
        ("/a /ü", "is no place to go to"),
        ("/a https:///x", "is neither a path"),
        ("/a https://:x.example.org/", "has a placeholder in its host"),
        ("/a https://example.org/ 200", "a rule with status 200 can only lead to a path"),
        ("/a /:b", "/:b uses a placeholder that /a does not have"),
        ("/a /:splat", "/:splat uses a placeholder"),
        ("/* /index.html", "/* leads to itself"),
        ("/ /index 200", "/ leads to itself"),
        ("/a /b\n/a /c", "line 2: /a is redirected already"),
        ("/a /" + "b" * 1000, "has 1004 characters"),
        ("".join(f"/{n}/* /x\n" for n in range(101)), "101 rules with * or :name"),
        ("".join(f"/{n} /x\n" for n in range(2001)), "2001 rules; at most 2000"),
    ],
)
def test_bad_redirects(text: str, reason: str) -> None:
    _, reasons = rules.parse_redirects(text, "auto-trailing-slash")
    assert reason in "\n".join(reasons)


def test_without_html_handling_the_root_may_lead_to_its_index() -> None:
    assert rules.parse_redirects("/ /index.html 200", "none")[1] == []
    assert rules.parse_redirects("/a https://example.org:8080/", "none")[1] == []


def index(headers: Any = (), redirects: Any = ()) -> dict[str, Any]:
    return {"headers": list(headers), "redirects": list(redirects), "html_handling": "none"}


RULE = {"path": "/a", "set": [["x", "y"]], "unset": ["z"]}
REDIRECT = {"from": "/a", "to": "/b", "status": 301}


def test_good_rules_of_an_index() -> None:
    assert rules.rules_reasons(index([RULE], [REDIRECT])) == []


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (index([1]), "a rule is no object"),
        (index([{"path": 1}]), "has no path, set and unset"),
        (index([RULE | {"set": [["x"]]}]), "sets what is no pair of texts"),
        (index([RULE | {"set": [["x", 1]]}]), "sets what is no pair of texts"),
        (index([RULE | {"set": [["x", "a\r\nb: c"]]}]), "no value that can be sent"),
        (index([RULE | {"unset": [1, "a b"]}]), "is no header's name"),
        (index([RULE | {"path": "/:a:b"}]), "more than one placeholder"),
        (index([RULE] * 101), "101 header rules"),
        (index([], ["x"]), "a rule is no object"),
        (index([], [{"from": "/a"}]), "a redirect has no from, to and status"),
        (index([], [REDIRECT | {"status": "301"}]), "a redirect has no from, to and status"),
        (index([], [REDIRECT | {"status": 500}]), "500 is no status of a redirect"),
        (index([], [REDIRECT | {"to": "//x"}]), "is no place to go to"),
        (index([], [REDIRECT] * 2001), "2001 rules"),
    ],
)
def test_an_index_that_another_program_made_is_judged_the_same(made: dict[str, Any], reason: str) -> None:
    assert reason in "\n".join(rules.rules_reasons(made))


LINES = st.lists(
    st.sampled_from(["/a", "/*", " ", "\n", ":b", "X: y", "! z", "301", "https://", "#", "é", "\x00", "\r"]),
    max_size=30,
)


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LINES.map("".join) | st.text(max_size=40))
def test_what_is_parsed_without_a_reason_is_judged_good(text: str) -> None:
    headers, wrong = rules.parse_headers(text)
    redirects, bad = rules.parse_redirects(text, "none")
    if not wrong and not bad:
        assert rules.rules_reasons(index(headers, redirects)) == []
