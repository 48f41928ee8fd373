"""Thousands of generated queries to ours, gdnsd and Knot with one zone: every difference is explained by a row of the table, every row occurs."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.controlplane.router.differential.asking import ask_all
from tests.controlplane.router.differential.explained import GDNSD, KNOT, ROWS, explain
from tests.controlplane.router.differential.ours import ours_served
from tests.controlplane.router.differential.peers import Gdnsd, Knot, Peer
from tests.controlplane.router.differential.queries import Case, cases, differences, read

pytestmark = pytest.mark.acceptance

QUERIES = int(os.environ.get("NEARHOP_DIFFERENTIAL", "12000"))
SEED = int(os.environ.get("NEARHOP_SEED", "20251"))
SOURCE = "127.53.62.9"
PORT = 5391


def ask_each(servers: dict[str, tuple[str, int]], asked: list[Case]) -> dict[str, list[bytes | None]]:
    replies: dict[str, list[bytes | None]] = {}
    queries = [case.data for case in asked]

    def ask(name: str, at: tuple[str, int]) -> None:
        replies[name] = ask_all(at, SOURCE, queries)

    threads = [threading.Thread(target=ask, args=item) for item in servers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def test_every_difference_is_explained_and_every_explanation_is_needed(tmp_path: Path) -> None:
    kinds: list[type[Peer]] = [Gdnsd, Knot]
    if missing := [reason for kind in kinds if (reason := kind.missing())]:
        pytest.skip("; ".join(missing))
    asked = list(cases(QUERIES, SEED))
    with (
        ours_served(tmp_path) as ours,
        Gdnsd(tmp_path / "gdnsd", "127.53.62.1", PORT) as gdnsd,
        Knot(tmp_path / "knot", "127.53.62.2", PORT) as knot,
    ):
        replies = ask_each({"ours": ours.at, GDNSD: gdnsd.at, KNOT: knot.at}, asked)
    occurred: Counter[str] = Counter()
    unexplained: list[str] = []
    alike = 0
    for number, case in enumerate(asked):
        us = read(case, replies["ours"][number])
        for server in (GDNSD, KNOT):
            them = read(case, replies[server][number])
            differing = differences(us, them)
            alike += not differing
            for field in differing:
                row = explain(server, field, case, us.fields, them.fields)
                if row is None:
                    unexplained.append(f"{server} {field}: {us.fields.get(field)} / {them.fields.get(field)}: {case}")
                else:
                    occurred[f"{row.server} {row.field}: {row.why}"] += 1
    print(f"{len(asked)} queries, {alike} of {2 * len(asked)} replies alike in every field; differences:")
    for row_text, times in occurred.most_common():
        print(f"  {times:>6}  {row_text}")
    assert not unexplained, f"{len(unexplained)} unexplained, such as:\n" + "\n".join(unexplained[:20])
    unneeded = [
        f"{row.server} {row.field}: {row.why}" for row in ROWS if f"{row.server} {row.field}: {row.why}" not in occurred
    ]
    assert not unneeded, "these do not occur any more:\n" + "\n".join(unneeded)
    assert len(asked) >= 10_000
