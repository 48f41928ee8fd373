"""nearhop deploy --gradual, nearhop rollout, and the shares in nearhop versions list."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlplane.cli import rollouts
from controlplane.client.failure import Failure
from nearhop.v1 import deployments_pb2

if TYPE_CHECKING:
    from tests.controlplane.cli.conftest import Fleet, Terminal

CHANGE = deployments_pb2.ChangeRolloutRequest


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello.js"
    path.write_text("export default { fetch() { return new Response('hello') } }\n")
    return path


async def test_the_command_ends_with_the_first_step(terminal: "Terminal", fleet: "Fleet", hello: Path) -> None:
    first = await terminal.run("deploy", hello, "--gradual", "10,100")
    assert (first.status, "note: all at once" in first.err) == (0, True)
    ran = await terminal.run("deploy", hello, "--gradual", "10, 50%,100", "--pause", "60", "--max-failures", "3")
    assert ran.status == 0, ran.err
    assert "hello: version 2 has 10 % of the traffic" in ran.out
    assert "nearhop rollout status hello" in ran.out
    asked = fleet.rollouts["hello"].rollout.gradual
    assert (list(asked.steps), asked.pause_s, asked.hold, asked.max_failures) == ([10, 50, 100], 60.0, False, 3)
    told = (await terminal.run("deploy", hello, "--gradual", "10,100", "--hold", "--json")).json
    assert (told["version"], told["phase"], told["shares"]) == (3, "progressing", {"1": 90, "3": 10})
    assert (told["rollout"]["hold"], told["rollout"]["next_at"]) == (True, "2023-11-14T22:14:20Z")
    listed = (await terminal.run("versions", "list", "hello", "--json")).json
    assert [(version["number"], version["percent"]) for version in listed] == [(3, 10), (2, 0), (1, 90)]
    assert "90 %" in (await terminal.run("versions", "list", "hello")).out


async def test_a_rollout_is_shown_and_changed(terminal: "Terminal", fleet: "Fleet", hello: Path) -> None:
    await terminal.run("deploy", hello)
    await terminal.run("deploy", hello, "--gradual", "10,50,100", "--pause", "60")
    shown = (await terminal.run("rollout", "status", "hello")).out
    assert "hello  progressing: version 2 has 10 % of the traffic" in shown
    assert "traffic: version 1 90 %, version 2 10 %" in shown
    assert "steps of version 2: [10 %], 50 %, 100 %; pause between them: 60 s" in shown
    assert "next step: 22:14:20 UTC" in shown
    assert "failures within this step: 1, at most 0 are borne" in shown
    for verb in ("pause", "resume", "promote"):
        assert (await terminal.run("rollout", verb, "hello")).status == 0
    back = (await terminal.run("rollout", "abort", "hello", "--json")).json
    assert (back["phase"], back["previous"]) == ("rolled back", {"1": 100})
    assert fleet.changes == [CHANGE.CHANGE_PAUSE, CHANGE.CHANGE_RESUME, CHANGE.CHANGE_PROMOTE, CHANGE.CHANGE_ABORT]
    assert "traffic: version 1 100 %" in (await terminal.run("rollout", "status", "hello")).out
    refused = await terminal.run("rollout", "pause", "nobody")
    assert (refused.status, "no gradual deployment is under way" in refused.err) == (1, True)


@pytest.mark.parametrize("text", ["", "ten", "10;100", "10,,100", "-1,100", "1e1,100", "9" * 10])
def test_what_is_no_list_of_percentages(text: str) -> None:
    with pytest.raises(Failure, match="no list of percentages"):
        rollouts.steps(text, pause_s=1.0, hold=False, max_failures=0)
