from pathlib import Path

import pytest

from controlplane.router.spool import Spool
from nearhop.v1 import router_control_pb2 as pb

VIEW = pb.RoutingView(epoch=7, zone="edge.example.org", functions=[pb.RoutedFunction(name="hello")])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "made" / "here")
    assert spool.read() is None
    spool.write(VIEW)
    spool.write(pb.RoutingView(epoch=8, zone="edge.example.org"))
    view = Spool(tmp_path / "made" / "here").read()
    assert view is not None
    assert (view.epoch, view.functions) == (8, ())
    assert [path.name for path in spool.path.parent.iterdir()] == ["routing-view"]


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:10], lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data,
    lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
])  # fmt: skip
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: object) -> None:
    spool = Spool(tmp_path)
    spool.write(VIEW)
    damaged = damage(spool.path.read_bytes())  # type: ignore[operator]
    spool.path.write_bytes(damaged)
    assert spool.read() is None
    assert not spool.path.exists()
    assert (tmp_path / "routing-view.corrupt").read_bytes() == damaged
    spool.write(VIEW)
    assert spool.read() is not None


def test_a_whole_file_with_a_bad_view_is_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write(pb.RoutingView(epoch=7, nodes=[pb.RoutedNode(id="NO")]))
    assert spool.read() is None
    assert (tmp_path / "routing-view.corrupt").exists()


def test_a_write_that_was_cut_short_leaves_the_old_view(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write(VIEW)
    spool.path.with_suffix(".partial").write_bytes(b"half")
    assert spool.read() is not None
    spool.write(VIEW)
    assert spool.read() is not None
