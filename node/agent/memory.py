"""What an agent writes down, so that the next one starts from it without a control plane. Nothing here decides what to do with it."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError

from nearhop import log
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec, spool
from node.agent.sealing import Sealer
from node.plan.records import Good

_T = TypeVar("_T")
_logger = log.get(__name__)


class Memory:
    """Three files in *state_dir*: the snapshot, the versions that last served, and which functions run.

    What is kept counts at once, and is on disk as soon as that can be; what is damaged is set aside and read as if it were not there.
    """

    def __init__(self, state_dir: Path) -> None:
        self._snapshot = state_dir / "snapshot.pb"
        self._good = state_dir / "good.json"
        self._awake = state_dir / "awake.json"
        self._sealer = Sealer(state_dir)
        self._backlog = spool.Backlog()
        self._good_texts: dict[str, tuple[Good, str]] = {}

    def snapshot(self) -> pb.Snapshot | None:
        return self._read(self._snapshot, self._opened)

    def good(self) -> dict[str, Good]:
        """Return by lane what last served."""
        return self._read(self._good, lambda body: codec.good_from_json(json.loads(body))) or {}

    def awake(self) -> frozenset[str]:
        """Return the lanes that ran when the agent ended."""
        return self._read(self._awake, lambda body: frozenset(str(name) for name in json.loads(body))) or frozenset()

    async def keep_snapshot(self, message: pb.Snapshot) -> None:
        """Keep *message*, unless its secrets cannot be sealed."""
        try:
            body = self._sealer.sealed(message).SerializeToString()
        except OSError as error:
            _logger.warning("a snapshot is not spooled: its secrets cannot be sealed", error=str(error))
            return
        await self._backlog.write(self._snapshot, body)

    async def keep_good(self, good: Mapping[str, Good]) -> None:
        await self._backlog.write(self._good, self._good_text(good))

    async def keep_awake(self, names: Collection[str]) -> None:
        await self._backlog.write(self._awake, json.dumps(sorted(names)).encode())

    async def retry(self) -> None:
        """Write what could not be written before."""
        await self._backlog.retry()

    def _opened(self, body: bytes) -> pb.Snapshot:
        message = pb.Snapshot.FromString(body)
        self._sealer.open(message)
        return message

    @staticmethod
    def _read(path: Path, decode: Callable[[bytes], _T]) -> _T | None:
        if (body := spool.read(path)) is None:
            return None
        try:
            return decode(body)
        except (DecodeError, ValueError, KeyError, TypeError, AttributeError):  # whole, but not what it should be
            spool.quarantine(path)
            return None

    def _good_text(self, good: Mapping[str, Good]) -> bytes:
        # What is known of a function seldom changes: only that is rendered anew.
        texts = self._good_texts
        for name, item in good.items():
            if (known := texts.get(name)) is None or known[0] is not item:
                texts[name] = (item, json.dumps(codec.good_to_json({name: item}))[1:-1])
        for gone in texts.keys() - good.keys():
            del texts[gone]
        return ("{" + ",".join(text for _, text in texts.values()) + "}").encode()
