"""Which control plane is spoken to, and as whom: what the caller says wins over the cluster on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli import endpoint
from controlplane.cli.endpoint import SAID, Access
from controlplane.client.failure import Failure
from controlplane.client.target import Target
from deploy.local import state


@pytest.fixture
def said() -> Iterator[None]:
    yield
    SAID.set(Access())


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a running cluster."""
    folder = tmp_path / "state"
    lock = state.acquire(folder)
    assert lock is not None
    token = folder / "admin.token"
    token.write_text("nhp_local\n")
    described = state.Description(
        os.getpid(),
        "127.0.0.1:7400",
        "127.0.0.1:7453",
        "127.0.0.1:7454",
        "nearhop.test",
        "/ca.pem",
        str(token),
        "http://127.0.0.1:7470/",
    )
    state.write(folder, described)
    yield folder
    lock.release()


@pytest.mark.usefixtures("said")
def test_the_cluster_on_this_machine_lends_its_credentials(local: Path) -> None:
    own = Target("127.0.0.1:7400", Path("/ca.pem"), "nhp_local")
    assert endpoint.resolve(None, local) == own
    assert endpoint.resolve(["127.0.0.1:7400"], local) == own


@pytest.mark.usefixtures("said")
def test_a_token_that_was_said_wins(local: Path) -> None:
    SAID.set(Access("nhp_mine"))
    assert endpoint.resolve(None, local) == Target("127.0.0.1:7400", Path("/ca.pem"), "nhp_mine")
    SAID.set(Access("nhp_mine", Path("/other.pem")))
    assert endpoint.resolve(None, local) == Target("127.0.0.1:7400", Path("/other.pem"), "nhp_mine")


@pytest.mark.usefixtures("said")
def test_local_credentials_go_nowhere_else(local: Path) -> None:
    SAID.set(Access(ca=Path("/ca.pem")))
    assert endpoint.resolve(["192.0.2.1:7400"], local).token == ""


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("address", "token"), [("192.0.2.1:7400", ""), ("cp.example.org:7400", ""), ("127.0.0.1:9999", "nhp_mine")]
)
def test_nothing_is_said_in_the_open_to_another_machine_and_no_token_to_anyone(
    tmp_path: Path, address: str, token: str
) -> None:
    SAID.set(Access(token))
    with pytest.raises(Failure, match="NEARHOP_CA"):
        endpoint.resolve([address], tmp_path)
