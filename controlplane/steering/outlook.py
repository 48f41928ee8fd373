"""What a router knows of its nodes at one moment: a mapping from node id to verdict, with what else is known beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controlplane.model import Verdict


@dataclass(frozen=True, slots=True)
class Outlook(Mapping[str, Verdict]):
    """*doubts* says why nodes that are not down might soon be; *reasons* explains verdicts; *loads* are shares of capacity: 1.0 is full."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, node: str) -> Verdict:
        return self.verdicts[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)
