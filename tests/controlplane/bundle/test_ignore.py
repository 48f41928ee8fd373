"""gitignore's patterns in .assetsignore; git itself is the judge where it is there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from controlplane.bundle import ignore

CASES = [
    ("*.map", ["a.map", "x/b.map"], ["a.mapx", "map"]),
    ("/a.txt", ["a.txt"], ["x/a.txt"]),
    ("x/a.txt", ["x/a.txt"], ["y/x/a.txt", "a.txt"]),
    ("build/", ["build/a", "x/build/b/c"], ["build"]),
    ("build", ["build", "build/a"], ["builds"]),
    ("**/deep", ["deep", "a/deep", "a/b/deep"], ["a/deeper"]),
    ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az", "a/b/zz"]),
    ("a/**", ["a/b", "a/b/c"], ["b/a"]),
    ("?.txt", ["a.txt"], ["ab.txt", ".txt"]),
    ("[ab].txt", ["a.txt"], ["c.txt"]),
    ("[!ab].txt", ["c.txt"], ["a.txt"]),
    ("# comment\n\n*.log  \n", ["a.log"], ["# comment"]),
    ("\\#x", ["#x"], ["x"]),
    ("\\!x", ["!x"], ["x"]),
    ("*.txt\n!keep.txt", ["a.txt"], ["keep.txt"]),
    ("!keep.txt\n*.txt", ["keep.txt"], []),
    ("secret/\n!secret/a", ["secret/a"], []),
    ("a.b", ["a.b"], ["aXb"]),
    ("[z-a]x\n/", [], ["ax", "x"]),
]


@pytest.mark.parametrize(("text", "ignored", "kept"), CASES)
def test_patterns(text: str, ignored: list[str], kept: list[str]) -> None:
    fits = ignore.parse(text)
    assert [path for path in ignored if not fits(path)] == []
    assert [path for path in kept if fits(path)] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git judges")
@pytest.mark.parametrize(("text", "ignored", "kept"), CASES)
def test_git_says_the_same(tmp_path: Path, text: str, ignored: list[str], kept: list[str]) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(text)
    for path, expected in [*((path, 0) for path in ignored), *((path, 1) for path in kept)]:
        ran = subprocess.run(["git", "check-ignore", "-q", "--no-index", "--", path], cwd=tmp_path, check=False)
        assert ran.returncode == expected, path


def test_what_no_pattern_speaks_of_is_undecided() -> None:
    assert ignore.parse("*.map\n!.env")("a.txt") is None
    assert ignore.parse("*.map\n!.env")(".env") is False
