"""HTTP between the collector and a real InfluxDB: refuses, delays, or loses the answer of what it passed on."""

import asyncio
import enum
import time
from typing import Final

import aiohttp
from aiohttp import web

from tests.servers import InfluxServer
from tests.store.front import Forward, Front, Rule, answer_with, lose_the_answer, pass_on

RETRY_AFTER_S: Final = 2
_ASKED_AT_ONCE_S: Final = 0.3
"""Requests that were under way beside the one that was refused may still come so long after it."""


class Answer(enum.Enum):
    """What happens to a request."""

    PASS = "as if the proxy were not there"
    ERROR = "500"
    BUSY = "503 with Retry-After"
    TOO_MANY = "429 with Retry-After"
    HANG = "neither passed on nor answered; reset when the proxy answers otherwise again"
    SLOW = "passed on after `slow_s`"
    LOSE = "passed on, applied, and the answer is lost"


class HttpProxy(Front):
    """Listens for the server on ``port``.

    Attributes:
        impatient: writes that came before the ``Retry-After`` of the last refusal was over.
        slow_s: how long ``SLOW`` takes.
    """

    def __init__(self, server: InfluxServer, *, slow_s: float = 1.5) -> None:
        super().__init__(server)
        self.impatient = 0
        self.slow_s = slow_s
        self._answer = Answer.PASS
        self._moved = asyncio.Event()
        self._refused_at = float("-inf")
        self.on_any = self.on_write = self._answered

    def become(self, answer: Answer) -> None:
        """Answer so from now on; whatever hangs is reset."""
        self._answer = answer
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _answered(self, request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
        if request.path == "/api/v2/write":
            early = time.monotonic() - self._refused_at
            self.impatient += _ASKED_AT_ONCE_S < early < RETRY_AFTER_S * 0.95
        rule: Rule = {
            Answer.PASS: pass_on,
            Answer.ERROR: answer_with(500, '{"message":"engine is tired"}'),
            Answer.BUSY: self._refuse(503),
            Answer.TOO_MANY: self._refuse(429),
            Answer.HANG: self._hang,
            Answer.SLOW: self._slow,
            Answer.LOSE: lose_the_answer,
        }[self._answer]
        try:
            return await rule(request, body, forward)
        except aiohttp.ClientError:  # the server is away, and so is whoever stands in front of it
            return _reset(request)

    def _refuse(self, status: int) -> Rule:
        refusing = answer_with(status, '{"message":"come back later"}', **{"Retry-After": str(RETRY_AFTER_S)})

        async def rule(request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
            if request.path == "/api/v2/write":
                self._refused_at = time.monotonic()
            return await refusing(request, body, forward)

        return rule

    async def _hang(self, request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
        await self._moved.wait()
        return _reset(request)

    async def _slow(self, request: web.Request, body: bytes, forward: Forward) -> web.StreamResponse:
        await asyncio.sleep(self.slow_s)  # the fault itself, not a wait for anything
        return await forward()


def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=500)
