"""The first request of a process that waits for a program."""

import asyncio
from pathlib import Path

import pytest

from node.sandbox import primer


async def serve(socket: Path, *answers: bytes) -> tuple[asyncio.Server, list[bytes]]:
    asked: list[bytes] = []
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0))
        writer.close()

    return await asyncio.start_unix_server(answer, socket), asked


async def test_it_asks_until_there_is_an_answer(tmp_path: Path) -> None:
    server, asked = await serve(tmp_path / "s", b"", b"HTTP/1.1 204 \r\n\r\n")
    async with server:
        assert await primer.prime(tmp_path / "s", lives=lambda: True)
    assert len(asked) == 2
    assert asked[0].startswith(b"GET / HTTP/1.1\r\nhost: sandbox\r\n")


async def test_it_waits_for_the_socket(tmp_path: Path) -> None:
    tries = asyncio.Semaphore(0)

    def lives() -> bool:
        tries.release()
        return True

    async with asyncio.TaskGroup() as group:
        work = group.create_task(primer.prime(tmp_path / "s", lives=lives))
        for _ in range(3):
            await tries.acquire()
        server, _ = await serve(tmp_path / "s", b"HTTP/1.1 204 \r\n\r\n")
        async with server:
            assert await work


async def test_it_gives_up_on_one_that_has_ended(tmp_path: Path) -> None:
    assert not await primer.prime(tmp_path / "s", lives=lambda: False)


async def test_it_does_not_ask_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primer, "_WITHIN_S", 0.05)
    with pytest.raises(TimeoutError):
        await primer.prime(tmp_path / "s", lives=lambda: True)
