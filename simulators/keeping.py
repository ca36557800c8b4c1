"""A device's sending towards a broker that may be killed: keeps, and sends again what may have been lost."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bus.client import OutboxFull, PacketTooLarge, Session, SessionClosed
from bus.outbox import Done
from fleet.clock import now_ms
from simulators.resend import Kept, ResendBuffer

NOBODY: Final = 16
"""MQTT 5.0, 3.4.2.1: the broker took the message, and nobody had subscribed to it: it is gone."""
_TOGETHER: Final = 500  # messages of one round trip: what is new need not wait behind all that is old
_SOON_S: Final = 1.0
_LATE_S: Final = 60.0
"""Who stores may come back to the broker later than the device: longest pause of a collector, and its connection."""


class Keeping:
    """Publishes through a session and keeps what it published.

    After every connection that follows a broken one, everything kept is sent again, and once more a minute later.
    What nobody had subscribed to, or the session had no room for, is sent again after a second, then ever more
    rarely; so is everything when nobody had subscribed to the first of it. What comes twice costs the collector
    nothing, as long as it carries its own time.

    Attributes:
        session: set it before the first message; its changes of state belong to :meth:`on_state`.
        buffer: what is kept.
        resent: messages sent again so far.
    """

    session: Session

    def __init__(self, buffer: ResendBuffer) -> None:
        self.buffer = buffer
        self.resent = 0
        self._connected = self._was_connected = False
        self._wake = asyncio.Event()
        self._all_at: list[float] = []
        self._soon_at: float | None = None
        self._pause_s = _SOON_S

    def publish(self, topic: str, payload: bytes, *, done: Done | None = None) -> None:
        """Keep a message and send it; ``done`` as in :meth:`bus.client.Session.publish`, for this first time.

        Raises:
            PacketTooLarge, ValueError: it can never be sent; nothing is kept.
        """
        kept = self.buffer.keep(topic, payload, now_ms())
        try:
            self._send(kept, done)
        except (OutboxFull, SessionClosed):
            self._again_soon()
        except ValueError:
            self.buffer.forget_newest()
            raise

    def on_state(self, connected: bool, session_present: bool, reason: str) -> None:  # noqa: ARG002 - a session's
        """The connection changed.

        Whether the broker kept a session says nothing: it may be one that it had saved, and what came since is gone.
        """
        if connected and not self._connected and self._was_connected:
            now = asyncio.get_running_loop().time()
            self._all_at, self._pause_s = [now, now + _LATE_S], _SOON_S
            self._wake.set()
        self._connected = connected
        self._was_connected |= connected

    async def run(self) -> None:
        """Send again what has to be, until cancelled or the session has ended."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._due()
                if self._all_at and self._all_at[0] <= loop.time():
                    del self._all_at[0]
                    if not await self._resend(self.buffer.again(now_ms())):
                        self._all_at = sorted([loop.time() + self._next_pause_s(), *self._all_at])
                else:
                    self._next_pause_s()
                    self._soon_at = None
                    await self._resend(self.buffer.untaken())
        except SessionClosed:
            return

    async def _due(self) -> None:
        """Return when something is to be sent again."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            times = [*self._all_at[:1], *([] if self._soon_at is None else [self._soon_at])]
            if times and min(times) <= loop.time():
                return
            try:
                async with asyncio.timeout_at(min(times, default=None)):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _next_pause_s(self) -> float:
        self._pause_s = min(2 * self._pause_s, _LATE_S)
        return self._pause_s

    async def _resend(self, messages: Sequence[Kept]) -> bool:
        """Send messages, as many at once as fit into a round trip; False when it stopped where nobody took any."""
        for first in range(0, len(messages), _TOGETHER):
            together = messages[first : first + _TOGETHER]
            answers = asyncio.Queue[int | None]()
            for kept in together:
                await self._send_when_possible(kept, answers.put_nowait)
            self.resent += len(together)
            if {await answers.get() for _ in together} == {NOBODY}:
                return False
        return True

    async def _send_when_possible(self, kept: Kept, done: Done) -> None:
        while True:
            try:
                self._send(kept, done)
            except OutboxFull:
                await self.session.flush()
            except PacketTooLarge:  # for the broker of this connection
                done(None)
                return
            else:
                return

    def _send(self, kept: Kept, done: Done | None) -> None:
        def answered(code: int | None) -> None:
            if code == NOBODY:
                kept.taken_ms = None
                self._again_soon()
            elif code is not None:  # a refusal is the broker's last word, too
                kept.taken_ms = now_ms()
            if done is not None:
                done(code)

        self.session.publish(kept.topic, kept.payload, done=answered)

    def _again_soon(self) -> None:
        if self._soon_at is None:
            self._soon_at = asyncio.get_running_loop().time() + self._pause_s
            self._wake.set()
