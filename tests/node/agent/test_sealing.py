import stat
from pathlib import Path

import pytest

from nearhop.v1 import node_control_pb2 as pb
from node.agent.sealing import KEY_FILE, Sealer

VALUE = "a-very-secret-value"


def snapshot() -> pb.Snapshot:
    secrets = [pb.Secret(name="TOKEN", value=VALUE), pb.Secret(name="OTHER", value="ü")]
    return pb.Snapshot(
        revision=3, placements=[pb.Placement(function="hello", secrets=secrets), pb.Placement(function="b")]
    )


def test_a_snapshot_survives_the_disk_and_shows_no_secret(tmp_path: Path) -> None:
    message = snapshot()
    body = Sealer(tmp_path).sealed(message).SerializeToString()
    assert VALUE.encode() not in body
    assert message == snapshot()  # what is applied is as it came
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    spooled = pb.Snapshot.FromString(body)
    Sealer(tmp_path).open(spooled)
    assert spooled == snapshot()


def test_without_secrets_there_is_nothing_to_seal(tmp_path: Path) -> None:
    message = pb.Snapshot(revision=1, placements=[pb.Placement(function="b")])
    assert Sealer(tmp_path).sealed(message) is message
    assert not (tmp_path / KEY_FILE).exists()
    Sealer(tmp_path).open(message)


@pytest.mark.parametrize("harm", ["no key", "another key", "short key", "moved", "damaged", "in clear"])
def test_a_secret_that_cannot_be_opened_is_left_out_and_the_rest_goes_on(tmp_path: Path, harm: str) -> None:
    spooled = Sealer(tmp_path).sealed(snapshot())
    key, secret = tmp_path / KEY_FILE, spooled.placements[0].secrets[0]
    match harm:
        case "no key":
            key.unlink()
        case "another key":
            key.write_bytes(b"k" * 32)
        case "short key":
            key.write_bytes(b"k")
        case "moved":
            secret.name = "MOVED"
        case "damaged":
            secret.value = "QUJD"
        case _:
            secret.value = VALUE
    Sealer(tmp_path).open(spooled)
    left = [found.name for found in spooled.placements[0].secrets]
    assert left == ([] if "key" in harm else ["OTHER"])
    assert spooled.placements[1].function == "b"
