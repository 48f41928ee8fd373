"""The parts' names as URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop import spiffe
from nearhop.errors import InvalidInput
from nearhop.spiffe import Part, Role

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
PARTS = st.one_of(
    st.builds(Part, st.just(Role.NODE), LABELS, LABELS),
    st.builds(Part, st.sampled_from([Role.ROUTER, Role.CONTROL_PLANE]), LABELS),
)


@given(PARTS)
def test_a_name_reads_back_as_it_was_written(part: Part) -> None:
    assert spiffe.parse(spiffe.uri(part, "example.org"), "example.org") == part
    assert spiffe.parse_path(part.path) == part
    assert spiffe.reasons(part) == []


def test_names_are_written_as_the_contract_says() -> None:
    assert spiffe.uri(Part(Role.NODE, "t-1", "tokyo"), "example.org") == "spiffe://example.org/node/tokyo/t-1"
    assert spiffe.uri(Part(Role.ROUTER, "r1"), "example.org") == "spiffe://example.org/router/r1"
    assert str(Part(Role.NODE, "t-1", "tokyo")) == "node t-1"


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://other.example.org/node/tokyo/t-1",
        "spiffe://example.org.evil.example/router/r1",
        "https://example.org/router/r1",
        "spiffe://example.org/",
        "spiffe://example.org/admin/r1",
        "spiffe://example.org/node/t-1",
        "spiffe://example.org/node/tokyo/../london/l-1",
        "spiffe://example.org/node/tokyo/%2e%2e",
        "spiffe://example.org/router/r1/",
        "spiffe://example.org/router/R1",
        "spiffe://example.org/router/r\u0131",
        "spiffe://example.org/router/r1\n",
        "spiffe://example.org/router/",
        "",
    ],
)
def test_whatever_is_no_parts_name_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput):
        spiffe.parse(uri, "example.org")


def test_only_nodes_have_a_region() -> None:
    assert [it.field for it in spiffe.reasons(Part(Role.ROUTER, "r1", "tokyo"))] == ["region"]
    assert [it.field for it in spiffe.reasons(Part(Role.NODE, "t-1"))] == ["region"]


@given(st.text())
def test_any_text_is_a_part_or_refused(text: str) -> None:
    try:
        part = spiffe.parse_path(text)
    except InvalidInput:
        return
    assert part.path == text
