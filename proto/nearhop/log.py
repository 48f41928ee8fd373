"""Logging: one line an event, `key=value` after the sentence, on standard error.

Levels by consequence: error, somebody must act; warning, something was lost or refused and the part goes on; info, a change of state that an
operator would look for; debug, the rest. Secrets and bundle contents are never logged.
"""

import logging
import sys
from typing import Literal

import structlog

Format = Literal["text", "json"]


def configure(part: str, *, level: str = "info", form: Format = "text") -> None:
    """Set the process's logging up once: *part* ("controlplane", "node tokyo-1") stands in every line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if form == "json":
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    else:
        # Plain: the rich traceback prints every local variable, tokens and keys among them.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)
        shared.pop()  # the console renderer prints tracebacks itself
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(part=part)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of module *name*."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
