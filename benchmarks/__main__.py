"""`python -m benchmarks [NAME …]`: run the named benchmarks, or all."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from benchmarks import deploys, dns, ingress

BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    "ingress": ingress.run,
    "dns": dns.run,
    "deploys": deploys.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    for name in parser.parse_args().names or BENCHMARKS:
        print(f"\n== {name}: {BENCHMARKS[name].__module__}", flush=True)
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main()
