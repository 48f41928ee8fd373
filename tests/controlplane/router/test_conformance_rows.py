"""The list of rows of DNS behaviour, and that each has a test that is named after it: test_d9_…, test_e5_e6_….

D messages, E client subnet (RFC 7871), C cookies (RFC 7873, 9018), X extended errors (RFC 8914), T TCP (RFC 7766, 7828, 9210), S security.
"""

import ast
import re
from pathlib import Path

import pytest

ROWS = {"d": 21, "e": 13, "c": 4, "x": 1, "t": 3, "s": 5}


def rows_with_tests() -> set[str]:
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for word in node.name.split("_")[1:]:
                    if not re.fullmatch(r"[decxts][0-9]+", word):
                        break
                    found.add(word)
    return found


@pytest.mark.parametrize(
    "row", [f"{letter}{number}" for letter, count in ROWS.items() for number in range(1, count + 1)]
)
def test_every_row_has_a_test(row: str) -> None:
    assert row in rows_with_tests()


def test_no_test_is_named_after_a_row_that_is_not_there() -> None:
    rows = {f"{letter}{number}" for letter, count in ROWS.items() for number in range(1, count + 1)}
    assert rows_with_tests() - rows == set()
