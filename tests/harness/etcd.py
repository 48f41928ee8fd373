"""Real etcd processes for tests, on free ports of loopback: `async with Etcd(folder) as etcd`, `async with EtcdCluster(folder) as etcd`."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import psutil
from etcd3aio.errors import EtcdError
from etcd3aio.kv import KVService

from controlplane.identity import etcd_tls
from nearhop import children, engines


class Etcd:
    """One etcd member, by TLS with *keys*, a folder that etcd_tls has written. Its data and its ports stay across kill() or stop() and start()."""

    def __init__(self, folder: Path, keys: Path | None = None, *, name: str = "test") -> None:
        self._folder = folder
        self._keys = keys
        self.name = name
        self._client, self._peer = free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.endpoint = f"127.0.0.1:{self._client}"
        self.peers: list[Etcd] = [self]  # with itself

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        if error is not None:
            sys.stderr.write(self._log.read_text(errors="replace")[-4000:])

    async def start(self, *, within: float = 20.0) -> None:
        """Start etcd and wait until it answers."""
        scheme = "http" if self._keys is None else "https"
        client, peer = f"{scheme}://{self.endpoint}", f"{scheme}://{self.peer}"
        with self._log.open("ab") as log:
            self._process = await children.spawn(
                [
                    engines.find("etcd").path,
                    "--name", self.name,
                    "--data-dir", self._folder / "data",
                    "--listen-client-urls", client,
                    "--advertise-client-urls", client,
                    "--listen-peer-urls", peer,
                    "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", ",".join(f"{it.name}={scheme}://{it.peer}" for it in self.peers),
                    *self._tls(),
                    "--unsafe-no-fsync",
                    "--logger", "zap",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(within):
            while not await self._answers():
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End etcd with SIGKILL."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End etcd with SIGTERM, continuing it first if it is paused."""
        if self._process is not None and self._process.returncode is None:
            self.resume()
            await children.stop(self._process, grace_s=5)

    async def pause(self) -> None:
        """Stop etcd's clock: it keeps its connections and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        while psutil.Process(self._process.pid).status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.001)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def peer(self) -> str:
        """Where the other members reach it."""
        return f"127.0.0.1:{self._peer}"

    @property
    def _log(self) -> Path:
        return self._folder / "etcd.log"

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"etcd ended with {self._process.returncode}: {self._log.read_text()[-2000:]}")
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with self._channel(options) as channel:
            try:
                await KVService(channel, max_attempts=1).get("ready", timeout=0.5)
            except (EtcdError, TimeoutError):
                return False
        return True

    def _channel(self, options: list[tuple[str, Any]]) -> grpc.aio.Channel:
        if self._keys is None:
            return grpc.aio.insecure_channel(self.endpoint, options=options)
        files = (etcd_tls.AUTHORITY, f"{etcd_tls.CLIENT}.key", f"{etcd_tls.CLIENT}.pem")
        credentials = grpc.ssl_channel_credentials(*((self._keys / name).read_bytes() for name in files))
        return grpc.aio.secure_channel(self.endpoint, credentials, options=options)

    def _tls(self) -> list[str]:
        if self._keys is None:
            return []
        member, authority = self._keys / etcd_tls.MEMBER, self._keys / etcd_tls.AUTHORITY
        return [
            flag
            for side in ("", "peer-")
            for flag in (
                f"--{side}cert-file={member}.pem",
                f"--{side}key-file={member}.key",
                f"--{side}trusted-ca-file={authority}",
                f"--{side}client-cert-auth",
            )
        ]


class EtcdCluster:
    """Several members, which start together."""

    def __init__(self, folder: Path, keys: Path | None = None, *, members: int = 3) -> None:
        self.members = [Etcd(folder / f"m{number}", keys, name=f"m{number}") for number in range(1, members + 1)]
        for member in self.members:
            member.peers = self.members
            (folder / member.name).mkdir(parents=True, exist_ok=True)

    @property
    def endpoints(self) -> list[str]:
        return [member.endpoint for member in self.members]

    async def start(self) -> None:
        """Start every member and wait until each answers."""
        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(member.start(), name=member.name)

    async def kill(self) -> None:
        """End every member with SIGKILL."""
        for member in self.members:
            await member.kill()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in self.members:
            await member.__aexit__(kind, error, traceback)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
