"""A control plane's own certificate."""

import asyncio
from datetime import timedelta

from controlplane.identity import ca
from controlplane.identity.own import OwnCertificate
from nearhop import tls
from nearhop.spiffe import Part, Role
from tests.controlplane.identity.conftest import Clock

PART = Part(Role.CONTROL_PLANE, "c1")


async def test_it_renews_itself_before_it_ends(authority: ca.Authority, clock: Clock) -> None:
    own = OwnCertificate(authority, PART, ["api.example.org"], life=timedelta(seconds=1), clock=clock)
    first = own.current()
    tls.check(first, ca.utc(clock.now))
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        task = group.create_task(own.run())
        while own.current() is first:
            await asyncio.sleep(0.01)
        task.cancel()
    assert own.current().key != first.key
