"""The platforms' configuration files as text: nothing but UnusableSource comes out of a bad one, and soon."""

import json
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from controlplane.bundle import denojson, jsonc, vercel, wrangler
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import Settings

ALPHABET = st.sampled_from(
    [*'{}[]",:/*\\ \n=#', "a", "1", "e", "//", "/*", "*/", '"name"', "null", "\ufeff", "\x00", "\ud800", "é"]
)
TEXTS = st.text(max_size=60) | st.lists(ALPHABET, max_size=40).map("".join)


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.sampled_from(["wrangler.toml", "wrangler.jsonc", "deno.json", "vercel.json"]))
def test_no_text_raises_anything_but_unusable_source(text: str, file: str) -> None:
    read = {"d": denojson.read, "v": vercel.read}.get(file[0], wrangler.read)
    try:
        assert isinstance(read(file, jsonc.parse(file, text)), Settings)
    except UnusableSource as error:
        assert file in str(error)  # noqa: PT017


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_plain_json_is_read_as_json(table: dict[str, object]) -> None:
    assert jsonc.parse("x.json", json.dumps(table)) == table


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ('{"a": 1} // end', {"a": 1}),
        ('/* x */ {"a": /* y */ 1, }', {"a": 1}),
        ('{"a": [1, 2, // last\n ] }', {"a": [1, 2]}),
        ('{"a": "// no comment, }", "b": "\\"/*"}', {"a": "// no comment, }", "b": '"/*'}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1} /* never ends', {"a": 1}),
    ],
)
def test_comments_and_last_commas(text: str, table: dict[str, object]) -> None:
    assert jsonc.parse("x.jsonc", text) == table


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("a.json", "[]", "is not a JSON object"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '{"a": ' * 50_000, "is not JSON"),
        ("a.json", '{"a": ' + "1" * 5000 + "}", "is not JSON"),
        ("a.toml", "a = " + "[" * 50_000, "is not TOML"),
        ("a.toml", "a =", "is not TOML"),
        ("a.toml", "a = " + "1" * 5000, "is not TOML"),
        ("a.json", " " * (jsonc.TEXT_MAX + 1), "at most 1,048,576 are read"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_configuration_is_told(file: str, text: str, said: str) -> None:
    with pytest.raises(UnusableSource, match=said):
        jsonc.parse(file, text)


@pytest.mark.parametrize("text", ["/*", '"', "//", ",", '"\\', "/", ", \n"])
def test_reading_takes_time_in_proportion(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(UnusableSource):
        jsonc.parse("a.json", text * (300_000 // len(text)))
    assert time.perf_counter() - began < 5
