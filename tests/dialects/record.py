"""Records what the platforms' local tools answer: python -m tests.dialects.record [PROGRAM …]."""

import asyncio
import json
import sys

from tests.dialects.ask_platform import answers
from tests.dialects.asking import ASKED, HERE
from tests.dialects.platforms import install
from tests.dialects.routing_rules import RECORDED, read_by_vercel


async def main() -> None:
    """Record the named programs, or all."""
    folder = await install()
    if not sys.argv[1:]:
        RECORDED.write_text(json.dumps(await read_by_vercel(folder), indent=1, ensure_ascii=False) + "\n")
    for name in sys.argv[1:] or ASKED:
        path = HERE / "answers" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(await answers(name, folder), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
