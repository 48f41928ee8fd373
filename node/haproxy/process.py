"""Runs HAProxy: starts it from what is on disk, starts it again when it ends, and keeps disk and process in step."""

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from nearhop import children, engines, log
from node.haproxy import cache, maps, render, settings
from node.haproxy.runtime import Counters, IngressError, Runtime
from node.plan.records import Route

_READY_WITHIN_S = 5.0
_LEARN_EVERY_S = 2.0
_RESTART_DELAY_S = 0.1
_RESTART_DELAY_MAX_S = 1.0
_ENTRIES_ONE_BY_ONE = 16  # that are always changed in place
_SHARE_IN_PLACE = 0.25  # of a map; of more than that a whole new map is cheaper
_COMPARE_EVERY_S = 300.0
_WORDS = 5  # of HAProxy's last complaints that an error quotes
_WORD_CHARACTERS = 500
_WORD = re.compile(r"\[(\w+)\] +\(\d+\) : (.*)")
_SPECIAL = re.compile(r"[;\\'\"<#]")  # what means something in a command, and nothing in its payload
_logger = log.get(__name__)
_LOG = {"ALERT": _logger.error, "WARNING": _logger.warning}


class AddressInUse(IngressError):
    """Another process listens where the ingress should."""


class Ingress:
    """HAProxy and its maps. Maps are written to disk first, so that a restart at any moment starts from the newest."""

    def __init__(self, ingress: settings.Ingress) -> None:
        self._settings = ingress
        self.paths = settings.paths(ingress)
        self._runtime = Runtime(Path(self.paths.stats_socket))
        self._process: asyncio.subprocess.Process | None = None
        self._board = maps.Board()
        self._maps: dict[
            str, dict[str, str]
        ] = {}  # lines of those that HAProxy routes by; none while they are not known
        self._assets: str | None = None  # the map that HAProxy has, None while that is not known
        self._routes: Mapping[str, Route] = {}
        self._caching: set[str] = set()  # functions
        self._certificates: dict[str, str] = {}  # those that HAProxy has, by file name
        self._certificates_on_disk: dict[str, str] = {}
        self._reasons: dict[int, str] = {}
        self._lock = asyncio.Lock()  # held while HAProxy starts: under it the process is either ready or dead
        self._stopping = asyncio.Event()
        self.restarts = 0

    @property
    def ready(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, routes: Mapping[str, Route]) -> None:
        """Write everything and start HAProxy. Raises AddressInUse, or IngressError with what HAProxy says about its configuration."""
        for address in (*self._settings.listen, *self._settings.tls_listen):
            _check_free(address)
        _write(self.paths.config, render.config(self._settings))
        self._routes = routes
        self._board.take(routes, self._caching)
        for name, entries in self._board.entries.items():
            self._maps[name] = maps.lines(entries)
            self._write_map(name, "".join(self._maps[name].values()))
        _write(self.paths.reasons, "")
        _write(self.paths.walls, "")
        for path in (self.paths.countries, self.paths.assets, self.paths.caching):
            _ensure(path)
        _write(self.paths.certificates, "")
        async with self._lock:
            await self._spawn()

    async def supervise(self) -> None:
        """Start HAProxy again whenever it ends, until stop() or until cancelled; HAProxy has ended when this has."""
        delay = _RESTART_DELAY_S
        try:
            while not self._stopping.is_set():
                if self._process is not None:
                    await self._listen(self._process)
                    status = await self._process.wait()
                    if self._stopping.is_set():
                        return
                    _logger.error("HAProxy ended; starting it again", status=status)
                try:
                    async with self._lock:
                        await self._spawn()
                except IngressError as error:
                    _logger.warning("HAProxy does not start", error=str(error))
                    self._process = None
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, _RESTART_DELAY_MAX_S)
                else:
                    self.restarts += 1
                    delay = _RESTART_DELAY_S
        finally:
            if self._process is not None:
                await children.stop(self._process, grace_s=0)

    async def stop(self, grace_s: float) -> None:
        """Stop listening at once, let requests in flight finish for *grace_s* seconds, then end HAProxy."""
        self._stopping.set()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGUSR1)  # HAProxy's soft stop
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        await children.stop(self._process, grace_s=1.0)

    async def set_routes(self, routes: Mapping[str, Route]) -> None:
        """Switch every hostname at once. Raises IngressError when HAProxy runs and did not take them over."""
        async with self._lock:
            self._routes = routes
            await self._route()

    def expect_caching(self, function: str, source: bytes) -> None:
        """Ask the edge cache before *function*, from its next route on, if the text of its program suggests answers that may be kept."""
        if self._settings.cache_mib and cache.may_cache(source):
            self._caching.add(function)

    async def learn_caching(self) -> None:
        """Ask the edge cache, from now on, before the functions that have given answers that may be kept. Raises IngressError."""
        if self._settings.cache_mib and self.ready:
            learned = await self._runtime.keys(settings.CACHING) - self._caching
            if learned:
                await self._cache_for(learned)

    async def learn(self) -> None:
        """Do so now and then, until cancelled."""
        while True:
            await asyncio.sleep(_LEARN_EVERY_S)
            try:
                await self.learn_caching()
            except (IngressError, OSError) as error:
                _logger.warning("which functions give answers to be kept is not known", error=str(error))

    async def _cache_for(self, functions: Collection[str]) -> None:
        async with self._lock:
            self._caching |= set(functions)
            await self._route()

    async def _route(self) -> None:
        changes = self._board.take(self._routes, self._caching)
        had, self._maps = self._maps, {}  # what HAProxy has is not known until it has taken all of this
        if had:
            for name, some in maps.in_order(changes):
                await self._change(name, had[name], some)
        else:
            for name, entries in self._board.entries.items():  # those first that others refer to
                had[name] = maps.lines(entries)
                await self._replace(name, "".join(had[name].values()))
        self._maps = had

    async def _change(self, name: str, lines: dict[str, str], some: Mapping[str, str | None]) -> None:
        """Make *some* changes in a map of *lines*, on disk and in HAProxy."""
        if not some:
            return
        fresh = {key: value for key, value in some.items() if value is not None}
        known = lines.keys() & fresh.keys()
        gone = some.keys() - fresh.keys()
        lines |= maps.lines(fresh)
        for key in gone:
            del lines[key]
        text = "".join(lines.values())
        if len(some) > max(_ENTRIES_ONE_BY_ONE, _SHARE_IN_PLACE * len(lines)):
            await self._replace(name, text)
            return
        self._write_map(name, text)
        if self.ready:
            await self._runtime.change_map(name, fresh, known=known, removed=gone)

    async def compare(self) -> None:
        """Put right whatever HAProxy's maps of the routes have otherwise than they should. Raises IngressError."""
        async with self._lock:
            if not self.ready:
                return  # it starts from what is on disk
            if not self._maps:
                await self._route()
            for name, lines in self._maps.items():
                found = await self._runtime.lines(name)
                if len(found) != len(lines) or set(found) != set(lines.values()):
                    _logger.error("HAProxy's map was not as it should be", map=name, entries=len(lines), had=len(found))
                    await self._replace(name, "".join(lines.values()))

    async def compare_now_and_then(self) -> None:
        """Do so until cancelled."""
        while True:
            await asyncio.sleep(_COMPARE_EVERY_S)
            try:
                await self.compare()
            except (IngressError, OSError) as error:
                _logger.warning("HAProxy's maps could not be compared", error=str(error))

    async def set_assets(self, files: Mapping[str, Iterable[str]]) -> None:
        """Say which paths each set of files answers, by the set's name. Raises IngressError."""
        async with self._lock:
            text = maps.assets_map(files)
            if text != self._assets:
                before, self._assets = self._assets, None
                await self._replace_assets(before, text)
                self._assets = text

    async def set_certificates(self, pems: dict[str, str]) -> None:
        """Serve these certificates and no others, by file name. Raises IngressError."""
        async with self._lock:
            if pems == self._certificates:
                return
            before, folder = self._certificates, self._settings.map_dir
            for file, pem in pems.items():
                _write(f"{folder}/{file}", pem, secret=True)
            _write(self.paths.certificates, "".join(f"{file}\n" for file in sorted(pems)))
            self._certificates_on_disk = dict(pems)
            if self.ready:
                for file in before.keys() - pems.keys():
                    await self._runtime.remove_certificate(file)
                    del before[file]
                for file in sorted(pems):
                    if before.get(file) != pems[file]:
                        await self._runtime.put_certificate(file, pems[file], known=file in before)
                        before[file] = pems[file]
            self._certificates = dict(pems)
            _keep_only(Path(folder), pems)

    async def set_reason(self, slot: int, reason: str | None) -> None:
        """Say on the slot's error pages why its sandbox ended; None forgets it. Raises IngressError."""
        async with self._lock:
            if reason is not None:
                self._reasons[slot] = reason
            elif self._reasons.pop(slot, None) is None:
                return
            _write(self.paths.reasons, maps.reasons_map(self._reasons))
            if not self.ready:
                return
            if reason is None:
                await self._runtime.ask(f"del map {settings.REASONS} {settings.slot_name(slot)}")
            else:
                await self._runtime.set_entry(settings.REASONS, settings.slot_name(slot), reason)

    def link_countries(self, source: Path) -> None:
        """Let HAProxy's next start use the country map *source*."""
        link = Path(self.paths.countries)
        fresh = link.with_suffix(".tmp")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(source)
        fresh.replace(link)

    async def load_countries(self, source: Path) -> None:
        """Use the country map *source* from now on. Raises IngressError."""
        self.link_countries(source)
        text = await asyncio.to_thread(source.read_text, encoding="ascii")
        if self.ready:
            await self._runtime.replace_map(settings.COUNTRIES, text)

    async def counters(self, slots: Iterable[int]) -> dict[int, Counters]:
        """Return what HAProxy has counted for *slots*; nothing while it is not there to be asked."""
        if not self.ready:
            return {}
        with contextlib.suppress(IngressError):  # it may end at any moment; supervise() reports that
            return await self._runtime.counters(slots)
        return {}

    async def refusals(self) -> dict[tuple[str, str], int]:
        """Return how many requests HAProxy has refused or given up, by function ("" for none) and reason; nothing while it is not there."""
        if self.ready:
            with contextlib.suppress(IngressError):  # as above
                return await self._runtime.refusals()
        return {}

    async def connections(self, slot: int) -> int:
        """Return the number of connections to the slot's socket; none while HAProxy does not run. Raises IngressError."""
        return await self._runtime.connections(slot) if self.ready else 0

    async def _replace_assets(self, before: str | None, text: str) -> None:
        change = None if before is None else maps.change(before, text, most=_ENTRIES_ONE_BY_ONE)
        if before is None or change is None or any(_SPECIAL.search(key) for keys in change for key in keys):
            await self._replace(settings.ASSETS, text)
            return
        self._write_map(settings.ASSETS, text)
        if self.ready:
            fresh, gone = change
            known = {line.split(" ", 1)[0] for line in before.splitlines()} & fresh.keys()
            await self._runtime.change_map(settings.ASSETS, fresh, known=known, removed=gone)

    async def _replace(self, name: str, text: str) -> None:
        self._write_map(name, text)
        if self.ready:
            await self._runtime.replace_map(name, text)

    def _write_map(self, name: str, text: str) -> None:
        _write(f"{self._settings.map_dir}/{name}", text)

    async def _spawn(self) -> None:
        engine = engines.find("haproxy")
        _remove(self.paths.stats_socket)
        self._process = await children.spawn(
            [engine.path.absolute(), "-db", "-f", settings.CONFIG],
            cwd=Path(self._settings.map_dir),
            stderr=asyncio.subprocess.PIPE,
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _READY_WITHIN_S
        while loop.time() < deadline:
            if (status := self._process.returncode) is not None:
                words = "; ".join(await self._listen(self._process)) or "it gave no reason"
                raise IngressError(f"HAProxy ended with status {status} while it was starting: {words}")
            with contextlib.suppress(IngressError):
                await self._runtime.ask("show version")
                self._certificates = dict(self._certificates_on_disk)
                return
            await asyncio.sleep(0.01)
        await children.stop(self._process, grace_s=0)
        raise IngressError(f"HAProxy was not ready within {_READY_WITHIN_S:g} s")

    async def _listen(self, process: asyncio.subprocess.Process) -> list[str]:
        """Log what HAProxy says on standard error until it ends; return the last of its complaints."""
        complaints: deque[str] = deque(maxlen=_WORDS)
        level = "ALERT"
        if process.stderr is None:
            raise RuntimeError("HAProxy's standard error is not a pipe")
        async for raw in process.stderr:
            line = "".join(char for char in raw.decode(errors="replace") if char.isprintable())[:_WORD_CHARACTERS]
            if (word := _WORD.fullmatch(line)) is not None:  # else it goes on with the sentence before it
                level, line = word.groups()
                if level == "ALERT":
                    complaints.append(line)
            quiet = self._stopping.is_set() and level == "WARNING"  # it says goodbye for each proxy
            _LOG.get("" if quiet else level, _logger.debug)("HAProxy said", message=line)
        return list(complaints)


def _write(path: str, text: str, *, secret: bool = False) -> None:
    temporary = Path(f"{path}.tmp")
    try:
        temporary.touch(mode=0o600 if secret else 0o644)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _keep_only(folder: Path, pems: Mapping[str, str]) -> None:
    for path in folder.glob("tls-*.pem"):
        if path.name not in pems:
            path.unlink()


def _ensure(path: str) -> None:
    if not Path(path).exists():
        _write(path, "")


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _check_free(address: str) -> None:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise AddressInUse(f"cannot listen on {address}: {os.strerror(error.errno or 0)}") from error
