"""An HTTP server in front of a real InfluxDB that can refuse, delay, or lose the answer of what it passed on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.servers import InfluxServer, free_port

Forward = Callable[[], Awaitable[web.Response]]
Rule = Callable[[web.Request, bytes, Forward], Awaitable[web.StreamResponse]]
"""Answers a request that ``forward()`` passes on to the server; a write or a query, not administration."""


class Front:
    """Passes on to ``server``; a write goes by ``on_write``, everything else by ``on_any``."""

    def __init__(self, server: InfluxServer) -> None:
        self.port = free_port()
        self.writes: list[int] = []
        """Status that each write was answered with, 0 for none."""
        self.on_write: Rule = pass_on
        self.on_any: Rule = pass_on
        """For whatever is no write."""
        self._server = server

    async def start(self) -> None:
        """Listen."""
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self.handle)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Let go of the port."""
        await self._runner.cleanup()

    def url(self, org: str) -> str:
        """As ``store.connect`` takes it."""
        return f"influxdb+http://127.0.0.1:{self.port}?org={org}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()

        async def forward() -> web.Response:
            headers = {name: request.headers[name] for name in KEPT if name in request.headers}
            url = f"{self._server.address}{request.path_qs}"
            async with (
                aiohttp.ClientSession() as session,
                session.request(request.method, url, data=body, headers=headers) as answer,
            ):
                kind = {"Content-Type": answer.headers["Content-Type"]} if "Content-Type" in answer.headers else {}
                return web.Response(status=answer.status, body=await answer.read(), headers=kind)

        if request.path != "/api/v2/write":
            return await self.on_any(request, body, forward)
        self.writes.append(0)
        place = len(self.writes) - 1
        answer = await self.on_write(request, body, forward)
        self.writes[place] = answer.status
        return answer


KEPT = ("Authorization", "Content-Type", "Content-Encoding", "Accept")


async def pass_on(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
    """As if it were not there."""
    return await forward()


async def lose_the_answer(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
    """The server has it; who sent it never hears so."""
    answer = await forward()
    assert request.transport is not None
    request.transport.abort()
    return answer


async def hang(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
    """Neither passed on nor answered."""
    await asyncio.Event().wait()
    raise AssertionError


def answer_with(status: int, text: str = "", **headers: str) -> Rule:
    """Refuses without passing on."""

    async def rule(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return rule


def at_most(size: int) -> Rule:
    """413 for a body of more bytes."""

    async def rule(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
        return web.Response(status=413, text="too large") if len(body) > size else await forward()

    return rule


@asynccontextmanager
async def in_front_of(server: InfluxServer) -> AsyncIterator[Front]:
    """A running :class:`Front`."""
    front = Front(server)
    await front.start()
    try:
        yield front
    finally:
        await front.stop()
