"""The text of .assetsignore: gitignore's patterns. Pure."""

import re
from collections.abc import Callable, Iterable

_SPECIAL = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?\]?[^\]]*\]")


def parse(text: str) -> Callable[[str], bool | None]:
    """Return a function that tells of a path, relative to the folder of *text*, whether it is left out; None when no pattern speaks of it.

    The last pattern that fits decides, a parent folder's fate is its content's (gitignore(5)).
    """
    rules = [rule for line in text.split("\n") if (rule := _rule(line.rstrip("\r"))) is not None]

    def ignored(path: str) -> bool | None:
        verdict = None
        for at, char in enumerate(f"{path}/"):
            if char == "/":
                verdict = _verdict(rules, path[:at], folder=at < len(path), before=verdict)
                if verdict:
                    return True
        return verdict

    return ignored


def _verdict(
    rules: Iterable[tuple[re.Pattern[str], bool, bool]], path: str, *, folder: bool, before: bool | None
) -> bool | None:
    for pattern, negated, folders_only in rules:
        if (folder or not folders_only) and pattern.fullmatch(path):
            before = not negated
    return before


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = re.sub(r"(?<!\\)\s+$", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line.removeprefix("!").removeprefix("\\")
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    if not line:
        return None
    anchored = "/" in line
    try:
        pattern = re.compile(("" if anchored else "(?:.*/)?") + _regex(line.removeprefix("/")), re.DOTALL)
    except re.error:  # a class such as [z-a], which fits nothing
        return None
    return pattern, negated, folders_only


def _regex(line: str) -> str:
    parts = []
    end = 0
    for match in _SPECIAL.finditer(line):
        parts.append(re.escape(line[end : match.start()]))
        end = match.end()
        part = match[0]
        if part == "**/":
            parts.append("(?:.*/)?")
        elif part == "/**":
            parts.append("/.*")
        elif part.startswith("["):
            inner = part[1:-1].replace("\\", r"\\")
            parts.append(f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]")
        else:
            parts.append({"**": "[^/]*", "*": "[^/]*", "?": "[^/]"}[part])
    return "".join([*parts, re.escape(line[end:])])
