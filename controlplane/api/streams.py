"""Reading a stream message by message, beside tasks that write to it."""

from typing import Any

from grpc.aio import EOF  # type: ignore[attr-defined]  # missing from the stubs


async def receive(context: Any) -> Any | None:
    """Return the client's next message, or None when it sends no more."""
    message = await context.read()
    return None if message is EOF else message
