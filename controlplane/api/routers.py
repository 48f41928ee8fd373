"""The routers that are connected, and what they see of the nodes. Nothing of it is stored: a router says it again when it comes back."""

import asyncio
from dataclasses import dataclass, field

from controlplane.model import Verdict, Witness


@dataclass(slots=True)
class Router:
    """A connected router; *epoch* is that of the view it answers from, *seen_up* and *seen_down* what its own probes say, whatever it answers."""

    id: str
    dns: str
    http: str
    epoch: int
    verdicts: dict[str, Witness] = field(default_factory=dict)
    seen_up: tuple[str, ...] = ()
    seen_down: tuple[str, ...] = ()

    def health(self) -> dict[str, Verdict]:
        return {node: witness.verdict for node, witness in self.verdicts.items()}


class Routers:
    """The routers by id. A second stream of the same id takes the first one's place: a router has nothing to lose by it."""

    def __init__(self) -> None:
        self._live: dict[str, Router] = {}
        self._tick = asyncio.Event()

    def add(self, router: Router) -> None:
        self._live[router.id] = router
        self.sights_changed()

    def remove(self, router: Router) -> None:
        if self._live.get(router.id) is router:
            del self._live[router.id]
            self.sights_changed()

    def sights_changed(self) -> None:
        """Wake whoever passes on what the routers see."""
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()

    def tick(self) -> asyncio.Event:
        """Return an event that is set when what the routers see changes next."""
        return self._tick

    def all(self) -> list[Router]:
        return sorted(self._live.values(), key=lambda router: router.id)

    def get(self, router: str) -> Router | None:
        return self._live.get(router)

    def witnesses(self, node: str) -> list[Witness]:
        """Return every connected router's verdict on *node*."""
        return [router.verdicts[node] for router in self.all() if node in router.verdicts]
