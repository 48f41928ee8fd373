"""Metrics in Prometheus' text format, version 0.0.4, and the HTTP server that a process shows them with."""

import contextlib
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Metric:
    """One family. *samples* pairs labels with a value; no labels is an empty tuple."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[tuple[tuple[str, str], ...], float]] = field(default_factory=list)


def plain(name: str, kind: Literal["counter", "gauge"], help_text: str, value: float) -> Metric:
    """Return a family of one sample without labels."""
    return Metric(name, kind, help_text, [((), value)])


def render(metrics: list[Metric]) -> str:
    """Render *metrics*, each family with its help and type."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            inner = ",".join(f'{name}="{_escape(text)}"' for name, text in labels)
            lines.append(f"{metric.name}{{{inner}}} {value:.17g}" if inner else f"{metric.name} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def respond(metrics: list[Metric]) -> Response:
    """Return *metrics* as what a scrape gets."""
    return PlainTextResponse(render(metrics), media_type="text/plain; version=0.0.4")


def application(metrics: Callable[[], list[Metric]]) -> Starlette:
    """Build an ASGI application that shows *metrics* and nothing else."""

    async def shown(_: Request) -> Response:
        return respond(metrics())

    return Starlette(routes=[Route("/metrics", shown)])


class HttpServer(uvicorn.Server):
    """Uvicorn on a socket that is bound already, leaving signals to the process that embeds it. *concurrency* None is no limit."""

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        *,
        lifespan: Literal["on", "off"] = "off",
        drain_s: int = 1,
        concurrency: int | None = 256,
        head_bytes: int | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan=lifespan, ws="none", timeout_graceful_shutdown=drain_s,
                limit_concurrency=concurrency, server_header=False, h11_max_incomplete_event_size=head_bytes,
            )
        )  # fmt: skip
        self._sock = sock

    async def run_until_told(self) -> None:
        """Serve until stop() is called."""
        await self.serve(sockets=[self._sock])

    def stop(self) -> None:
        """Have run_until_told() return."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield
