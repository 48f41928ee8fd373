import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.store import keys
from controlplane.store.keys import Key, Kind

names = st.text(min_size=1, max_size=20)


@given(st.sampled_from(Kind), names, st.integers(0, 10**9))
def test_a_key_survives_the_round_trip(kind: Kind, name: str, number: int) -> None:
    item = name if kind is Kind.SECRETS else ""
    key = Key(kind, name, number if kind is Kind.VERSIONS else 0, item)
    assert keys.parse(str(key)) == key


@given(names, names)
def test_no_name_leaves_its_place(one: str, other: str) -> None:
    path = str(Key(Kind.FUNCTIONS, one))
    assert path.count("/") == 3
    assert (path == str(Key(Kind.FUNCTIONS, other))) == (one == other)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/nearhop/functions/",
        "/nearhop/functions/a/b",
        "/nearhop/versions/a",
        "/nearhop/secrets/a",
        "/nearhop/secrets/a/",
        "/nearhop/secrets/a/b/c",
        "/nearhop/versions/a/x",
        "/nearhop/versions/a/01",
        "/nearhop/versions/a/²",
        "/nearhop/requests/a",
        "/nearhop/functions/%41",
        "/other/functions/a",
    ],
)
def test_what_is_no_key_is_not_read_as_one(path: str) -> None:
    assert keys.parse(path) is None


@given(names, st.integers(0, 9999))
def test_the_watched_range_holds_everything_but_the_chunks(name: str, number: int) -> None:
    for kind in Kind:
        assert keys.WATCH_BEGIN <= str(Key(kind, name)) < keys.WATCH_END
    assert keys.WATCH_BEGIN <= keys.request(name) < keys.WATCH_END
    assert keys.chunk(name, number) < keys.WATCH_BEGIN


@given(names, names, st.integers(0, 9999))
def test_prefixes_cover_their_keys_and_no_others(name: str, other: str, number: int) -> None:
    version = str(Key(Kind.VERSIONS, other, number))
    assert version.startswith(keys.versions_of(name)) == (name == other)
    secret = str(Key(Kind.SECRETS, other, item=name))
    assert secret.startswith(keys.secrets_of(name)) == (name == other)
    chunk = keys.chunk(other, number)
    assert chunk.startswith(keys.chunks_of(name)) == (name == other)
    assert keys.chunks() <= chunk < keys.range_end(keys.chunks())
    assert keys.chunk_digest(chunk) == other


@given(st.integers(0, 9998))
def test_chunks_sort_in_order(number: int) -> None:
    assert keys.chunk("d", number) < keys.chunk("d", number + 1)
