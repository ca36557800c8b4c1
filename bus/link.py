"""One connection of a session, from dialling to its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from bus.address import BrokerAddress
from bus.packets import Handlers, Hello
from bus.wire import Wire, connect_bytes

_HANG_UP_S: Final = 1.0


class Link:
    """A connection that has one life; it is dialled once.

    Attributes:
        welcomed: done when the broker has accepted us.
        lost: done when the connection is gone.
        lived_s: how long it was welcome, in seconds.
    """

    def __init__(self, epoch: int, handlers: Handlers) -> None:
        loop = asyncio.get_running_loop()
        self.wire = Wire(epoch, handlers)
        self.welcomed: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.lived_s = 0.0

    async def dial(self, address: BrokerAddress, hello: Hello, timeout_s: float) -> OSError | UnicodeError | None:
        """Connect and introduce ourselves; return the error when that failed, None once welcomed or lost."""
        wire = self.wire
        try:
            async with asyncio.timeout(timeout_s):
                context = address.ssl_context()
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: wire, address.host, address.port, ssl=context)
                wire.write(connect_bytes(hello))
                await asyncio.wait({self.welcomed, self.lost}, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
            wire.abort(error)
            return error
        except asyncio.CancelledError as error:
            wire.abort(error)
            raise
        return None

    async def last(self, stopping: "asyncio.Task[Any]") -> bool:
        """Wait for the loss or for stop; whether the connection still stands."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait({self.lost, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.lived_s = loop.time() - began
        return not self.lost.done()

    async def hang_up(self, flush: Coroutine[Any, Any, None], timeout_s: float) -> None:
        """Give ``flush`` its time, say goodbye, and close."""
        flushing = asyncio.create_task(flush)
        await asyncio.wait({flushing, self.lost}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        flushing.cancel()
        self.wire.disconnect()
        await asyncio.wait({self.lost}, timeout=_HANG_UP_S)
        if not self.lost.done():
            self.wire.abort(TimeoutError())
