"""One real process of a test cluster: started, watched until it is ready, killed, paused, restarted; its log is kept."""

import asyncio
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nearhop import children
from tests.harness.eventually import eventually

READY_WITHIN_S = 30.0  # a safety bound, not a measurement


class Process:
    """A Python module run as a process with a TOML configuration.

    *ready* is asked until it returns true; when the process ends first or the time is over, the error shows the end of its log.
    """

    def __init__(self, name: str, module: str, config: dict[str, Any], folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"

    async def ready(self) -> bool:
        """Say whether the process does its job; subclasses ask its own endpoint."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process id. Raises AssertionError when it is not running."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, *, wait: bool = True) -> None:
        """Start the process and wait until it is ready."""
        assert not self.running, f"{self.name} runs already"
        path = self.folder / f"{self.name}.toml"
        path.write_text(toml(self.config), encoding="utf-8")
        with self.log.open("ab") as log:
            self._process = await children.spawn(
                [sys.executable, "-m", self._module, "--config", path], stdout=log, stderr=log
            )
        if wait:
            await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until ready() holds. Raises AssertionError with the log's end."""

        async def check() -> bool:
            return not self.running or await self.ready()

        try:
            await eventually(check, within=READY_WITHIN_S, reason=f"{self.name} is not ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from error
        assert self.running, f"{self.name} ended while starting\n{self.tail()}"

    async def stop(self, grace_s: float = 10.0) -> int:
        """End it as an operator would, with SIGTERM, and return its exit status."""
        assert self._process is not None
        return await children.stop(self._process, grace_s=grace_s)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def pause(self) -> None:
        """Freeze it with SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return f"--- end of {self.log.name}\n" + "\n".join(text.splitlines()[-lines:])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            await self.stop()


def toml(config: dict[str, Any]) -> str:
    """Render a flat configuration with one level of tables as TOML."""
    lines = [f"{key} = {_value(value)}" for key, value in config.items() if not isinstance(value, dict)]
    for key, value in config.items():
        if isinstance(value, dict):
            lines += [f"[{key}]", *(f"{inner} = {_value(item)}" for inner, item in value.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
