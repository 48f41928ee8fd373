"""Writing TOML that reads back to the same."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.toml import render

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUE = st.one_of(
    _TEXT,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(_TEXT),
)


@given(st.dictionaries(st.from_regex(r"\A[a-z_]+\Z"), _VALUE))
def test_what_is_written_reads_back(values: dict[str, str | int | float | bool | list[str]]) -> None:
    assert tomllib.loads(render(values)) == values
