import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop import names


@pytest.mark.parametrize("name", ["a", "hello", "a-b", "x9", "a" * 63])
def test_good_function_names(name: str) -> None:
    assert names.function_name_reasons(name) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "-a",
        "a-",
        "a--b",
        "9a",
        "a.b",
        "a_b",
        "a b",
        "a\n",
        "a/b",
        "..",
        "hеllo",
        "a" * 64,
        "ns",
        "ns1",
        "ns12",
        "localhost",
    ],
)
def test_bad_function_names_come_with_a_reason(name: str) -> None:
    assert names.function_name_reasons(name)


def test_all_reasons_are_told_at_once() -> None:
    assert len(names.label_reasons("A" * 64)) == 2


@pytest.mark.parametrize("value", ["tokyo-1", "1", "a--b"])
def test_nodes_and_regions_are_labels(value: str) -> None:
    assert names.node_id_reasons(value) == names.region_reasons(value) == []


@pytest.mark.parametrize("value", ["nearhop.test", "a", "x.y.z", ".".join(["a" * 63] * 3)])
def test_good_hostnames(value: str) -> None:
    assert names.hostname_reasons(value) == []


@pytest.mark.parametrize(
    "value", ["", ".", "a.", ".a", "a..b", "a_b.c", "A.b", "a" * 64 + ".b", ".".join(["a" * 63] * 4)]
)
def test_bad_hostnames(value: str) -> None:
    assert names.hostname_reasons(value)


@pytest.mark.parametrize("value", ["a", "3f0e-4_x".replace("_", "."), "A:b", "x" * 64])
def test_good_request_ids(value: str) -> None:
    assert names.request_id_reasons(value) == []


@pytest.mark.parametrize("value", ["", " ", "a b", "a/b", "a\n", "ä", "x" * 65])
def test_bad_request_ids(value: str) -> None:
    assert names.request_id_reasons(value)


@pytest.mark.parametrize(
    ("value", "good"), [("0" * 64, True), ("f" * 64, True), ("F" * 64, False), ("0" * 63, False), ("", False)]
)
def test_digests(value: str, good: bool) -> None:
    assert (names.digest_reasons(value) == []) is good


@given(st.text(max_size=70))
def test_what_is_accepted_is_safe_everywhere(value: str) -> None:
    if not names.function_name_reasons(value):
        assert value.isascii()
        assert value == value.lower()
        assert not set(value) & set("/.%_ \n")
        assert names.hostname_reasons(f"{value}.example.org") == []


@pytest.mark.parametrize("value", ["/", "/shop", "/shop/", "/a.b/_c~d-e", "/..a"])
def test_path_prefixes(value: str) -> None:
    assert names.path_prefix_reasons(value) == []


@pytest.mark.parametrize(
    "value", ["", "shop", "/a b", "/a\n", "/a?b", "/a#b", "/a%2e", "//", "/a/../b", "/./", "/ä", "/" + "a" * 256]
)
def test_what_is_no_path_prefix(value: str) -> None:
    assert names.path_prefix_reasons(value)


@pytest.mark.parametrize(("value", "sound"), [("A", True), ("_a9", True), ("9a", False), ("", False), ("A-B", False)])
def test_names_of_variables(value: str, sound: bool) -> None:
    assert (names.variable_reasons(value) == []) is sound
    assert names.variable_reasons("A" * 65)
