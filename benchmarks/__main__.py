"""`python -m benchmarks [NAME …]`: run the named benchmarks, or all."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence

from benchmarks import cold, deploys, dns, failover, flips, geo, ingress, many, memory

BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    "ingress": ingress.run,
    "dns": dns.run,
    "deploys": deploys.run,
    "cold": cold.run,
    "memory": memory.run,
    "many": many.run,
    "flips": flips.run,
    "geo": geo.run,
    "failover": failover.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    asyncio.run(_run(parser.parse_args().names or list(BENCHMARKS)))


async def _run(names: Sequence[str]) -> None:
    # One event loop for all of them: gRPC's does not outlive its first.
    for name in names:
        print(f"\n== {name}: {BENCHMARKS[name].__module__}", flush=True)
        await BENCHMARKS[name]()


if __name__ == "__main__":
    main()
