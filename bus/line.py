"""The line to a broker: one connection after the other, until told to stop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bus import reasons
from bus.address import BrokerAddress
from bus.backoff import LONGEST_S, WELCOME_LONGEST_S, Backoff
from bus.link import Link
from bus.packets import Handlers, Hello

_STABLE_S: Final = 10.0
"""A connection that lived so long starts the backoff anew; a shorter one (another client of our name) does not."""
_OFTEN: Final = 2
"""So many short connections before this one: then not chance closes them."""


class Line:
    """Dials, and dials again with exponential backoff and full jitter.

    Args:
        connect_timeout_s: for the connection, TLS and the broker's answer together.
        close_timeout_s: how long the end of a connection in good order may take.

    Attributes:
        epoch: number of the connection of the moment, from 1.
        link: that connection.
        closing: the end in good order has begun.
    """

    def __init__(
        self,
        address: BrokerAddress,
        hello: Hello,
        handlers: Handlers,
        connect_timeout_s: float,
        close_timeout_s: float,
    ) -> None:
        self.epoch = 0
        self.link: Link
        self.closing = False
        self._address = address
        self._hello = hello
        self._handlers = handlers
        self._connect_timeout_s = connect_timeout_s
        self._close_timeout_s = close_timeout_s
        self._backoff = Backoff()
        self._bug: Exception | None = None

    async def run(
        self, stop: asyncio.Event, failed: Callable[[str], None], last: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Be connected until ``stop``; then do what ``last`` says, and disconnect.

        Args:
            failed: told in a sentence why nothing was reached.

        Raises:
            Exception: what :meth:`fail` was called with.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                lived_s = await self._connection(stopping, failed, last)
                if self._bug is not None:
                    raise self._bug
                if lived_s >= _STABLE_S:
                    self._backoff.succeeded()
                longest_s = WELCOME_LONGEST_S if self.link.welcomed.done() else LONGEST_S
                await asyncio.wait({stopping}, timeout=self._backoff.failed(longest_s))
        finally:
            stopping.cancel()

    async def _connection(
        self,
        stopping: "asyncio.Task[Any]",
        failed: Callable[[str], None],
        last: Callable[[], Coroutine[Any, Any, None]],
    ) -> float:
        """One connection from dialling to its loss or to stop; how many seconds it lived."""
        self.epoch += 1
        link = self.link = Link(self.epoch, self._handlers)
        dial = asyncio.create_task(link.dial(self._address, self._hello, self._connect_timeout_s))
        try:
            await asyncio.wait({dial, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dial.cancel()
        if not dial.done():
            return 0.0
        if (error := dial.result()) is not None:
            failed(reasons.failure(error, self._address))
        elif await link.last(stopping):
            self.closing = True
            await link.hang_up(last(), self._close_timeout_s)
        return link.lived_s

    def fail(self, error: Exception) -> None:
        """End :meth:`run` with this error, unless it has one already."""
        self._bug = self._bug or error
        self.link.wire.abort(error)

    def lost(self, code: int | None, error: BaseException | None) -> str:
        """The connection of the moment is gone, and why in a sentence; an error that is no line's ends :meth:`run`."""
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._bug = self._bug or error
        welcomed, often = self.link.welcomed.done(), self._backoff.failures >= _OFTEN
        self.link.lost.set_result(None)
        if self.closing:
            return "the session was closed"
        return reasons.loss(code, error, self._address, self._hello.client_id, welcomed=welcomed, often=often)
