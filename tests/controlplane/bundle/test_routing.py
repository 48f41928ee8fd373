"""What vercel.json says of requests and schedules."""

from typing import Any

import pytest

from controlplane.bundle import routing
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import Keys


def read(table: dict[str, Any]) -> Any:
    keys = Keys("vercel.json", table)
    found = routing.routing(keys), routing.crons(keys)
    keys.raise_if_any()
    return found


def test_nothing_is_nothing() -> None:
    assert read({}) == (None, ())
    assert read({"redirects": [], "headers": [], "rewrites": [], "crons": []}) == (None, ())


def test_rules_as_the_guest_reads_them() -> None:
    rules, _ = read(
        {
            "redirects": [
                {"source": "/a/:b*", "destination": "/c/:b*"},
                {"source": "/t", "destination": "https://example.org/", "permanent": False},
                {
                    "source": "/m",
                    "destination": "/n",
                    "permanent": True,
                    "missing": [{"type": "cookie", "key": "auth"}],
                },
                {"source": "/s", "destination": "/n", "statusCode": 302, "has": []},
            ],
            "rewrites": [
                {"source": "/(.*)", "destination": "/", "has": [{"type": "host", "value": "a\\.example\\.org"}]},
                {
                    "source": "/q",
                    "destination": "http://example.org",
                    "has": [{"type": "query", "key": "a", "value": "1"}],
                },
            ],
            "headers": [{"source": "/", "headers": [{"key": "X-:a", "value": "1 2"}]}],
        }
    )
    assert rules["redirects"] == [
        {"source": "/a/:b*", "destination": "/c/:b*", "status": 308},
        {"source": "/t", "destination": "https://example.org/", "status": 307},
        {"source": "/m", "destination": "/n", "missing": [{"type": "cookie", "key": "auth"}], "status": 308},
        {"source": "/s", "destination": "/n", "status": 302},
    ]
    assert [rule["has"] for rule in rules["rewrites"]] == [
        [{"type": "host", "value": "a\\.example\\.org"}],
        [{"type": "query", "key": "a", "value": "1"}],
    ]
    assert rules["headers"] == [{"source": "/", "headers": [{"key": "X-:a", "value": "1 2"}]}]


HAS = {"source": "/a", "destination": "/b"}


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"redirects": {}}, "redirects: must be a list of tables"),
        ({"redirects": [{"destination": "/b"}]}, r"redirects\[0\].source: must be a path that begins with /"),
        ({"redirects": [{"source": "a", "destination": "/b"}]}, "source: must be a path"),
        ({"rewrites": [{"source": "/" + "a" * 4096, "destination": "/b"}]}, "at most 4096 characters"),
        ({"redirects": [{"source": "/a"}]}, "destination: must be a path that begins with /, or an http"),
        ({"rewrites": [{"source": "/a", "destination": "//b.example.org/"}]}, "destination: must be a path"),
        ({"rewrites": [{"source": "/a", "destination": {"service": "x"}}]}, "destination: must be a text"),
        ({"rewrites": [HAS | {"transforms": [1]}]}, r"rewrites\[0\].transforms: is not offered"),
        ({"redirects": [HAS | {"env": ["A"]}]}, r"redirects\[0\].env: is not offered"),
        ({"redirects": [HAS | {"statusCode": 304}]}, "statusCode: must be one of 301, 302"),
        ({"redirects": [HAS | {"statusCode": 301, "permanent": True}]}, "permanent says the status already"),
        ({"redirects": [HAS] * 2049}, "2049 rules; at most 2048"),
        ({"redirects": [HAS | {"has": [{"type": "ip", "value": "1"}]}]}, r"has\[0\].type: must be one of header"),
        ({"redirects": [HAS | {"has": [{"key": "a"}]}]}, "type: must be one of header"),
        ({"redirects": [HAS | {"missing": [{"type": "header"}]}]}, "key: is missing: the name of the header"),
        ({"redirects": [HAS | {"has": [{"type": "host"}]}]}, "value: is missing: the host"),
        ({"redirects": [HAS | {"has": [{"type": "header", "key": "a", "value": {"eq": 1}}]}]}, "value: must be a text"),
        ({"headers": [{"source": "/a"}]}, r"headers\[0\].headers: is missing"),
        ({"headers": [{"source": "/a", "headers": [{"key": "content-length", "value": "1"}]}]}, "content-length is the server's own"),
        ({"headers": [{"source": "/a", "headers": [{"key": "a b", "value": "1"}]}]}, "'a b' is no header's name"),
        ({"headers": [{"source": "/a", "headers": [{"key": "a"}]}]}, "a has no value that can be sent"),
        ({"crons": [{"schedule": "* * * * *"}]}, r"crons\[0\].path: must be a path"),
        ({"crons": [{"path": "/a b", "schedule": "* * * * *"}]}, "path: must be a path"),
        ({"crons": [{"path": "/a", "schedule": "@daily"}]}, "'@daily' has not five fields of numbers"),
        ({"crons": [{"path": "/a", "schedule": "0 0 * * MON"}]}, "has not five fields of numbers"),
        ({"crons": [{"path": "/a", "schedule": "0 0 1 * 1"}]}, r"one of day and weekday has to be \*"),
        ({"crons": [{"path": "/a", "schedule": "99 0 * * *"}]}, "schedule: 99 0"),
        ({"crons": [{"path": "/a", "schedule": "0 0 * * 7"}]}, "schedule: 0 0"),
        ({"crons": [{"path": f"/{n}", "schedule": "* * * * *"} for n in range(101)]}, "101 scheduled calls"),
        ({"crons": [{"path": "/a", "schedule": "* * * * *", "host": "x"}]}, r"crons\[0\].host: is not offered"),
    ],
)  # fmt: skip
def test_what_is_wrong(table: dict[str, Any], error: str) -> None:
    with pytest.raises(UnusableSource, match=error):
        read(table)


@pytest.mark.parametrize(
    ("schedule", "made"),
    [
        ("0 5 * * *", "0 5 * * *"),
        ("*/5  0-6/2,12 1 1-3 *", "*/5 0-6/2,12 1 1-3 *"),
        ("0 0 * * 0", "0 0 * * 1"),
        ("0 0 * * 1-5", "0 0 * * 2-6"),
        ("0 0 * * 0,6", "0 0 * * 1,7"),
        ("0 0 * * */2", "0 0 * * */2"),
    ],
)
def test_sunday_is_0_on_vercel_and_1_here(schedule: str, made: str) -> None:
    twice = {"path": "/api/a", "schedule": schedule}
    assert read({"crons": [twice, twice]}) == (None, ((made, "/api/a"),))
