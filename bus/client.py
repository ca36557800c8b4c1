"""A durable MQTT 5 session: reconnects by itself, hands over bursts, is acknowledged by hand.

Messages stay at the broker until :meth:`Session.acknowledge`; after a broken connection the broker sends the
unacknowledged ones again, so a program that acknowledges what it has on disk loses nothing between broker and disk.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from bus.address import BrokerAddress
from bus.outbox import Done, OutboxFull, PacketTooLarge
from bus.publisher import Publisher, PublishRefused, SessionClosed
from bus.reasons import REFUSED, failure, located, refusal
from bus.wire import Delivery, Handlers, Hello, Welcome, Will, Wire, puback_bytes, subscribe_bytes

__all__ = [
    "BrokerAddress",
    "Burst",
    "Delivery",
    "OutboxFull",
    "PacketTooLarge",
    "PublishRefused",
    "Session",
    "SessionClosed",
    "SessionState",
    "Will",
]

WEEK_S: Final = 7 * 86_400
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 30.0
_STABLE_S: Final = 10.0
"""A connection that lived so long starts the backoff anew; a shorter one (another client of our name) does not."""
_SUBSCRIBE_ID: Final = 65_535
_SESSION_LOST: Final = "the broker came back without our session: messages that it held for us may be lost"
_NO_WORD: Final = "the broker hung up without an answer: wrong user name or password, wrong port, or no MQTT 5"


class Burst:
    """All deliveries of one socket read, in order; ``epoch`` is the connection that its packet ids belong to."""

    __slots__ = ("acknowledged", "deliveries", "epoch")

    def __init__(self, epoch: int, deliveries: list[Delivery]) -> None:
        self.epoch = epoch
        self.deliveries = deliveries
        self.acknowledged = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """How the session stands.

    Attributes:
        connected: connected and subscribed.
        session_present: whether the broker had kept our session at the last connection.
        reason: one sentence why there is no connection or a subscription was refused; "" when all is well.
        since: epoch seconds of the last change of ``connected``.
        session_losses: how often the broker came back without our session.
    """

    connected: bool
    session_present: bool
    reason: str
    since: float
    session_losses: int


class Session:
    """One client of a broker under a fixed client id; all methods belong to the event loop of :meth:`run`.

    Args:
        address: the broker.
        client_id: unique at the broker and the same after each restart of the program.
        subscriptions: topic filters, subscribed with QoS 1 on every connect.
        on_burst: gets every burst, synchronously; an exception from any callback ends :meth:`run` with it.
        on_state: called with (connected, session_present, reason) on each change of these.
        on_session_lost: called with a sentence when the broker came back without the session that it had.
        will: published by the broker when the connection breaks, and by :meth:`run` when it ends in good order.
        expect_session: an earlier life of the program had a session already, so a new one is a loss.
        session_expiry_s: how long the broker keeps session and queue without us.
        receive_max: how many unacknowledged messages the broker may send (Mosquitto: ``max_inflight_messages``, too).
        keep_alive_s: a dead connection is found within 1.5 times this.
        connect_timeout_s: for the connection, TLS and the broker's answer together.
        close_timeout_s: how long :meth:`run` tries to send what is queued after stop.
        publish_window: how many published messages may wait for their PUBACK, if the broker takes as many.
        max_queued, max_queued_bytes: bounds of what is published and not acknowledged yet.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        subscriptions: Sequence[str] = (),
        on_burst: Callable[[Burst], None] | None = None,
        on_state: Callable[[bool, bool, str], None] | None = None,
        on_session_lost: Callable[[str], None] | None = None,
        will: Will | None = None,
        expect_session: bool = False,
        session_expiry_s: int = WEEK_S,
        receive_max: int = 10_000,
        keep_alive_s: int = 20,
        connect_timeout_s: float = 10.0,
        close_timeout_s: float = 5.0,
        publish_window: int = 1_000,
        max_queued: int = 100_000,
        max_queued_bytes: int = 64 * 2**20,
    ) -> None:
        self.address = address
        self.client_id = client_id
        self.subscriptions = tuple(subscriptions)
        self.on_burst = on_burst
        self.on_state = on_state
        self.on_session_lost = on_session_lost
        self.stale_acknowledgements = 0
        self.had_session = expect_session
        self.state = SessionState(False, False, "not connected yet", time.time(), 0)
        self._will = will
        self._hello = Hello(
            client_id, address.user, address.password, will, keep_alive_s, session_expiry_s, receive_max
        )
        self._connect_timeout_s = connect_timeout_s
        self._close_timeout_s = close_timeout_s
        self._publisher = Publisher(publish_window, max_queued, max_queued_bytes)
        self._handlers = Handlers(
            welcome=self._on_welcome,
            subscribed=self._on_subscribed,
            deliveries=self._on_deliveries,
            acknowledged=self._publisher.acknowledged,
            writable=self._publisher.pump,
            lost=self._on_lost,
        )
        self._epoch = 0
        self._dialled: Wire
        self._wire: Wire | None = None  # from the broker's welcome to the loss
        self._welcomed: asyncio.Future[None]
        self._lost: asyncio.Future[None]
        self._present = False
        self._closing = False
        self._open: deque[Burst] = deque()
        self._paused = False
        self._changed = asyncio.Event()
        self._bug: Exception | None = None

    # --- health

    @property
    def connected(self) -> bool:
        """Whether the session is connected and subscribed."""
        return self.state.connected

    @property
    def backlog(self) -> int:
        """Published messages that the broker has not acknowledged yet."""
        return len(self._publisher.outbox)

    @property
    def backlog_bytes(self) -> int:
        """Their bytes."""
        return self._publisher.outbox.bytes

    @property
    def unacknowledged(self) -> int:
        """Messages delivered on this connection whose PUBACK was not sent yet."""
        return sum(len(burst.deliveries) for burst in self._open)

    async def wait_connected(self) -> None:
        """Return as soon as the session is connected and subscribed."""
        while not self.state.connected:
            self._changed.clear()
            await self._changed.wait()

    # --- receiving

    def acknowledge(self, burst: Burst) -> None:
        """Send the PUBACKs of a burst, unless its connection is gone: the broker then delivers it again.

        PUBACKs leave in the order of delivery (MQTT 5.0, section 4.6), so a burst waits for those before it.
        """
        if burst.acknowledged:
            return
        burst.acknowledged = True
        wire = self._wire
        if wire is None or burst.epoch != wire.epoch:
            self.stale_acknowledgements += 1
            return
        packet_ids: list[int] = []
        while self._open and self._open[0].acknowledged:
            packet_ids += [one.packet_id for one in self._open.popleft().deliveries if one.packet_id is not None]
        if packet_ids:
            wire.write(puback_bytes(packet_ids))

    def pause(self) -> None:
        """Stop reading from the socket; the connection stays alive, the broker keeps what comes."""
        self._paused = True
        if self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._wire is not None:
            self._wire.resume()

    # --- publishing

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, done: Done | None = None) -> None:
        """Queue a message; it is sent with QoS 1, again after each reconnection, until the broker acknowledges it.

        ``done`` is called with the broker's reason code (refusals are 128 or more), or None if the session ended.

        Raises:
            OutboxFull: ``max_queued`` or ``max_queued_bytes`` is reached.
            PacketTooLarge: larger than the broker accepts, or than 16 MiB.
            ValueError: the topic is no topic to publish to.
            SessionClosed: the session has ended.
        """
        self._publisher.publish(topic, payload, retain=retain, done=done)

    async def publish_all(self, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
        """Send all, pipelined; return when the broker has acknowledged every one, over reconnections if need be.

        Raises:
            PublishRefused: the broker refused some, after all were answered.
            PacketTooLarge, ValueError: as :meth:`publish`; the messages before that one are on their way.
            SessionClosed: the session ended before.
        """
        await self._publisher.publish_all(messages, retain=retain)

    async def flush(self) -> None:
        """Return when the broker has acknowledged everything published so far and meanwhile."""
        await self._publisher.flush()

    # --- the life of the session

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, and reconnect with exponential backoff and full jitter, until ``stop`` is set.

        Then sends what is queued (within ``close_timeout_s``) and the will, and disconnects.

        Raises:
            Exception: whatever a callback raised. Never for a broker that is away.
        """
        stopping = asyncio.create_task(stop.wait())
        failures = 0
        try:
            while not stop.is_set():
                lived_s = await self._connection(stopping)
                if self._bug is not None:
                    raise self._bug
                failures = 0 if lived_s >= _STABLE_S else failures + 1
                ceiling = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** min(failures - 1, 16))
                await asyncio.wait({stopping}, timeout=random.uniform(0, ceiling))  # noqa: S311  # jitter, no secret
        finally:
            stopping.cancel()
            if self._wire is not None:
                self._wire.abort(ConnectionAbortedError("the program ends"))
            self._publisher.close()

    async def _connection(self, stopping: asyncio.Task[Any]) -> float:
        """One connection from dialling to its loss or to stop; how many seconds it lived."""
        loop = asyncio.get_running_loop()
        self._epoch += 1
        self._lost, self._welcomed = loop.create_future(), loop.create_future()
        wire = self._dialled = Wire(self._epoch, self._handlers)
        dial = asyncio.create_task(self._dial(wire))
        await asyncio.wait({dial, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not dial.done():
            dial.cancel()
            await asyncio.wait({dial})
        if dial.cancelled() or not dial.result():
            return 0.0
        began = loop.time()
        await asyncio.wait({self._lost, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not self._lost.done():
            await self._close(wire)
        return loop.time() - began

    async def _dial(self, wire: Wire) -> bool:
        address, loop = self.address, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                context = address.ssl_context()
                await loop.create_connection(lambda: wire, address.host, address.port, ssl=context)
                wire.write(self._hello.to_bytes())
                await asyncio.wait({self._welcomed, self._lost}, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
            wire.abort(error)
            self._set_state(connected=False, reason=failure(error, address))
            return False
        except asyncio.CancelledError as error:
            wire.abort(error)
            raise
        return not self._lost.done()

    async def _close(self, wire: Wire) -> None:
        self._closing = True
        wire.resume()
        if self._will is not None:
            with suppress(OutboxFull):
                self.publish(self._will.topic, self._will.payload, retain=self._will.retain)
        flush = asyncio.create_task(self.flush())
        await asyncio.wait({flush, self._lost}, timeout=self._close_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        flush.cancel()
        wire.disconnect()
        await asyncio.wait({self._lost}, timeout=1.0)
        if not self._lost.done():
            wire.abort(TimeoutError())

    # --- what the connection tells

    def _on_welcome(self, welcome: Welcome) -> None:
        wire = self._dialled
        if welcome.code:
            wire.abort(ConnectionRefusedError(refusal(welcome.code, self.address, self.client_id, welcome.said)))
            return
        self._wire = wire
        self._present = welcome.session_present
        wire.keep_alive(self._hello.keep_alive_s if welcome.keep_alive_s is None else welcome.keep_alive_s)
        if self.had_session and not welcome.session_present:
            self.state = replace(self.state, session_losses=self.state.session_losses + 1)
            self._call(self.on_session_lost, located(_SESSION_LOST, self.address))
        self.had_session = True
        if self.subscriptions:
            wire.write(subscribe_bytes(_SUBSCRIBE_ID, self.subscriptions))
        self._publisher.attach(wire, welcome)
        if self._paused:
            wire.pause()
        if not self.subscriptions or self._paused:  # the SUBACK of a paused connection comes when it is resumed
            self._set_state(connected=True, reason="")
        self._welcomed.set_result(None)

    def _on_subscribed(self, codes: Sequence[int]) -> None:
        refused = [
            f"subscription {pattern!r}: {refusal(code, self.address, self.client_id)}"
            for pattern, code in zip(self.subscriptions, codes, strict=False)
            if code >= REFUSED
        ]
        self._set_state(connected=True, reason=located("; ".join(refused), self.address) if refused else "")

    def _on_deliveries(self, deliveries: list[Delivery]) -> None:
        if self._closing or self._wire is None:
            return  # the broker keeps them for our next connection
        burst = Burst(self._wire.epoch, deliveries)
        self._open.append(burst)
        if self.on_burst is None:
            self.acknowledge(burst)
        else:
            self._call(self.on_burst, burst)

    def _on_lost(self, wire: Wire, code: int | None, error: BaseException | None) -> None:
        if wire.epoch != self._epoch:
            return
        self._wire = None
        self._open.clear()
        self._publisher.detach()
        if self._closing:
            reason = "the session was closed"
        elif code is not None:
            reason = located(refusal(code, self.address, self.client_id), self.address)
        elif error is not None:
            reason = failure(error, self.address)
        else:
            reason = located("the broker closed the connection" if self._welcomed.done() else _NO_WORD, self.address)
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._bug = self._bug or error
        self._set_state(connected=False, reason=reason)
        self._lost.set_result(None)

    def _set_state(self, *, connected: bool, reason: str) -> None:
        old = self.state
        since = old.since if old.connected == connected else time.time()
        self.state = replace(old, connected=connected, session_present=self._present, reason=reason, since=since)
        self._changed.set()
        if (old.connected, old.session_present, old.reason) != (connected, self._present, reason):
            self._call(self.on_state, connected, self._present, reason)

    def _call(self, callback: Callable[..., None] | None, *arguments: object) -> None:
        """Call back; what it raises ends :meth:`run`, which raises it."""
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001  # not swallowed: run() raises it
            self._bug = self._bug or error
            self._dialled.abort(error)
