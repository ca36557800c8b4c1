"""TCP between two programs of a test, that misbehaves on demand while it runs."""

import asyncio
import enum
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 65_536


class Mode(enum.Enum):
    """What happens to bytes; a connection that has lost some stays deaf in that direction, as its stream is broken."""

    PASS = "bytes go through"
    SWALLOW = "everything is swallowed, the sockets stay; new connections are accepted and never answered"
    SWALLOW_REPLIES = "requests go through, answers do not"
    TRICKLE = "one byte every `Proxy.pause_s` seconds in each direction"
    REFUSE = "nobody listens; connections that exist are reset"


class Proxy:
    """Listens on ``port`` of 127.0.0.1 for the server at ``target`` (host, port).

    Attributes:
        dialled: connections that were accepted since the start.
        up, down: bytes that went to the server, and from it.
        pause_s: between two bytes of ``TRICKLE``.
        patience_s: how long a wait may take; then it raises TimeoutError.
    """

    def __init__(self, target: tuple[str, int], *, pause_s: float = 1.0) -> None:
        self.target = target
        self.port = 0
        self.dialled = self.up = self.down = 0
        self.pause_s = pause_s
        self.patience_s = 120.0
        self._mode = Mode.PASS
        self._moved = asyncio.Event()
        self._progress = asyncio.Condition()
        self._deaf_until = 0
        self._reset_in: int | None = None
        self._reset_upward = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; on the same port after ``REFUSE``."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Reset what is open and let go of the port."""
        await self.become(Mode.REFUSE)
        for pipe in self._pipes:
            pipe.cancel()
        if self._pipes:
            await asyncio.wait(self._pipes)

    @property
    def mode(self) -> Mode:
        """The mode of the moment."""
        return self._mode

    async def become(self, mode: Mode) -> None:
        """Behave so from now on."""
        self._mode = mode
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        if mode is Mode.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
            self.cut()
        elif mode is not Mode.REFUSE and self._server is None:
            await self.start()

    def cut(self) -> None:
        """Reset (RST) every connection, on both sides; new ones go by the mode."""
        for writer in self._writers:
            _reset(writer)
        self._writers.clear()

    def half_open(self) -> None:
        """Swallow everything of the connections that exist and keep their sockets; new ones go by the mode."""
        self._deaf_until = self.dialled

    def reset_after(self, size: int, *, upward: bool = False) -> None:
        """Once ``size`` more bytes have come from the server (or gone to it), reset every connection."""
        self._reset_in, self._reset_upward = size, upward

    @property
    def armed(self) -> bool:
        """Whether :meth:`reset_after` has not struck yet."""
        return self._reset_in is not None

    async def dials(self, more: int) -> None:
        """Return when so many more connections were accepted."""
        goal = self.dialled + more
        await self._until(lambda: self.dialled >= goal)

    async def carried(self, *, up: int = 0, down: int = 0) -> None:
        """Return when so many more bytes have passed each way."""
        goal = (self.up + up, self.down + down)
        await self._until(lambda: self.up >= goal[0] and self.down >= goal[1])

    async def struck(self) -> None:
        """Return when :meth:`reset_after` has struck."""
        await self._until(lambda: not self.armed)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(self.patience_s), self._progress:
            await self._progress.wait_for(condition)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialled += 1
        number = self.dialled
        async with self._progress:
            self._progress.notify_all()
        try:
            other_reader, other_writer = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, other_writer}
        for source, sink, upward in ((reader, other_writer, True), (other_reader, writer, False)):
            pipe = asyncio.create_task(self._pipe(number, source, sink, upward=upward))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(
        self, number: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, upward: bool
    ) -> None:
        deaf = False
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                deaf = deaf or number <= self._deaf_until or self._mode is Mode.SWALLOW
                deaf = deaf or (self._mode is Mode.SWALLOW_REPLIES and not upward)
                if not deaf:
                    await self._forward(data, sink, upward=upward)
        if not deaf:  # an end that comes after swallowed bytes would give the fault away
            sink.close()
            self._writers.discard(sink)

    async def _forward(self, data: bytes, sink: asyncio.StreamWriter, *, upward: bool) -> None:
        while data:
            size = 1 if self._mode is Mode.TRICKLE else len(data)
            if self._reset_in is not None and upward == self._reset_upward:
                size = min(size, self._reset_in)
            sink.write(data[:size])
            await sink.drain()
            data = data[size:]
            await self._count(size, upward=upward)
            if self._mode is Mode.TRICKLE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.pause_s):
                        await self._moved.wait()

    async def _count(self, size: int, *, upward: bool) -> None:
        if upward:
            self.up += size
        else:
            self.down += size
        if self._reset_in is not None and upward == self._reset_upward:
            self._reset_in -= size
            if self._reset_in <= 0:
                self._reset_in = None
                self.cut()
        async with self._progress:
            self._progress.notify_all()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:  # uvloop says in this way that it is closed already
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
