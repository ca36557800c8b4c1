"""A durable MQTT 5 session: reconnects by itself, hands over bursts, is acknowledged by hand.

Messages stay at the broker until :meth:`Session.acknowledge`; after a broken connection the broker sends the
unacknowledged ones again, so a program that acknowledges what it has on disk loses nothing between broker and disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from bus import reasons
from bus.address import BrokerAddress
from bus.backoff import LONGEST_S, WELCOME_LONGEST_S, Backoff
from bus.inbox import Burst, Inbox
from bus.link import Link
from bus.outbox import Done, OutboxFull, PacketTooLarge
from bus.packets import Delivery, Handlers, Hello, Welcome, Will
from bus.publisher import Publisher, PublishRefused, SessionClosed
from bus.standing import SessionState, Standing
from bus.subscriptions import Subscriptions
from bus.wire import Wire, puback_bytes

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
_STABLE_S: Final = 10.0
"""A connection that lived so long starts the backoff anew; a shorter one (another client of our name) does not."""
_OFTEN: Final = 2
"""So many short connections before this one: then not chance closes them."""


class Session:
    """One client of a broker under a fixed client id; all methods belong to the event loop of :meth:`run`.

    Args:
        address: the broker.
        client_id: unique at the broker and the same after each restart of the program.
        subscriptions: topic filters, subscribed with QoS 1 on every connect; ``topics`` changes them.
        on_burst: gets every burst, synchronously; an exception from any callback ends :meth:`run` with it.
        on_state: called with (connected, session_present, reason) on each change of these.
        on_session_lost: called with a sentence when the broker came back without the session that it had; never when
            ``session_expiry_s`` is 0, which asks it to keep none.
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
        self.topics = Subscriptions(subscriptions)
        self.on_burst = on_burst
        self.on_state = on_state
        self.on_session_lost = on_session_lost
        self.had_session = expect_session
        self._standing = Standing()
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
        self._link: Link
        self._wire: Wire | None = None  # from the broker's welcome to the loss
        self._present = False
        self._closing = False
        self._inbox = Inbox()
        self._backoff = Backoff()
        self._paused = False
        self._bug: Exception | None = None

    @property
    def state(self) -> SessionState:
        """How the session stands now."""
        return self._standing.state

    @property
    def connected(self) -> bool:
        """Whether the session is connected and subscribed."""
        return self.state.connected

    @property
    def backlog(self) -> int:
        """Published messages that the broker has not acknowledged yet."""
        return len(self._publisher.outbox)

    @property
    def unacknowledged(self) -> int:
        """Messages delivered on this connection whose PUBACK was not sent yet."""
        return len(self._inbox)

    @property
    def stale_acknowledgements(self) -> int:
        """How many bursts were acknowledged after their connection had gone; the broker delivers them again."""
        return self._inbox.stale

    async def wait_connected(self) -> None:
        """Return as soon as the session is connected and subscribed.

        Raises:
            SessionClosed: :meth:`run` has ended.
        """
        await self._standing.connected()

    def acknowledge(self, burst: Burst) -> None:
        """Send the PUBACKs of a burst, unless its connection is gone: the broker then delivers it again.

        PUBACKs leave in the order of delivery (MQTT 5.0, section 4.6), so a burst waits for those before it.
        """
        packet_ids = self._inbox.acknowledge(burst)
        if packet_ids and self._wire is not None:
            self._wire.write(puback_bytes(packet_ids))

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

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, done: Done | None = None) -> None:
        """Queue a message; it is sent with QoS 1, again after each reconnection, until the broker acknowledges it.

        ``done`` and the errors: :meth:`bus.publisher.Publisher.publish`.
        """
        self._publisher.publish(topic, payload, retain=retain, done=done)

    async def publish_all(self, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
        """Send all, pipelined; return when the broker has acknowledged every one, over reconnections if need be.

        Errors: :meth:`bus.publisher.Publisher.publish_all`.
        """
        await self._publisher.publish_all(messages, retain=retain)

    async def flush(self) -> None:
        """Return when the broker has acknowledged everything published so far and meanwhile."""
        await self._publisher.flush()

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, and reconnect with exponential backoff and full jitter, until ``stop`` is set.

        Then sends what is queued (within ``close_timeout_s``) and the will, and disconnects.

        Raises:
            Exception: whatever a callback raised. Never for a broker that is away.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                lived_s = await self._connection(stopping)
                if self._bug is not None:
                    raise self._bug
                if lived_s >= _STABLE_S:
                    self._backoff.succeeded()
                longest_s = WELCOME_LONGEST_S if self._link.welcomed.done() else LONGEST_S
                await asyncio.wait({stopping}, timeout=self._backoff.failed(longest_s))
        finally:
            stopping.cancel()
            if self._wire is not None:
                self._wire.abort(ConnectionAbortedError("the program ends"))
            self._publisher.close()
            self._standing.end()

    async def _connection(self, stopping: "asyncio.Task[Any]") -> float:
        """One connection from dialling to its loss or to stop; how many seconds it lived."""
        self._epoch += 1
        link = self._link = Link(self._epoch, self._handlers)
        dial = asyncio.create_task(link.dial(self.address, self._hello, self._connect_timeout_s))
        try:
            await asyncio.wait({dial, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dial.cancel()
        if not dial.done():
            return 0.0
        if (error := dial.result()) is not None:
            self._set_state(connected=False, reason=reasons.failure(error, self.address))
        elif await link.last(stopping):
            self._closing = True
            self.resume()  # the PUBACKs of what is flushed must be read
            if self._will is not None:
                with suppress(OutboxFull):
                    self.publish(self._will.topic, self._will.payload, retain=self._will.retain)
            await link.hang_up(self.flush(), self._close_timeout_s)
        return link.lived_s

    def _on_welcome(self, welcome: Welcome) -> None:
        wire = self._link.wire
        if welcome.code:
            said = reasons.refusal(welcome.code, self.address, self.client_id, welcome.said)
            wire.abort(ConnectionRefusedError(said))
            return
        self._wire = wire
        self._inbox.opened(wire.epoch)
        self._present = welcome.session_present
        wire.keep_alive(welcome.keep_alive_s or self._hello.keep_alive_s)
        if self.had_session and self._hello.session_expiry_s and not welcome.session_present:
            self._standing.lost_session()
            self._call(self.on_session_lost, reasons.located(reasons.SESSION_LOST, self.address))
        self.had_session = True
        self.topics.attach(wire)
        self._publisher.attach(wire, welcome)
        if self._paused:
            wire.pause()
        if not self.topics.patterns or self._paused:  # the SUBACK of a paused connection comes when it is resumed
            self._set_state(connected=True, reason="")
        self._link.welcomed.set_result(None)

    def _on_subscribed(self, codes: Sequence[int]) -> None:
        reason = reasons.refused_subscriptions(self.topics.answered(codes), codes, self.address, self.client_id)
        if reason or not self.connected:
            self._set_state(connected=True, reason=reason)

    def _on_deliveries(self, deliveries: list[Delivery]) -> None:
        if self._closing or self._wire is None:
            return  # the broker keeps them for our next connection
        burst = self._inbox.receive(deliveries)
        if self.on_burst is None:
            self.acknowledge(burst)
        else:
            self._call(self.on_burst, burst)

    def _on_lost(self, epoch: int, code: int | None, error: BaseException | None) -> None:
        if epoch != self._epoch:
            return
        self._wire = None
        self._inbox.opened(0)
        self._publisher.detach()
        self.topics.detach()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._bug = self._bug or error
        welcomed, often = self._link.welcomed.done(), self._backoff.failures >= _OFTEN
        reason = reasons.loss(code, error, self.address, self.client_id, welcomed=welcomed, often=often)
        self._set_state(connected=False, reason="the session was closed" if self._closing else reason)
        self._link.lost.set_result(None)

    def _set_state(self, *, connected: bool, reason: str) -> None:
        if self._standing.change(connected=connected, session_present=self._present, reason=reason):
            self._call(self.on_state, connected, self._present, reason)

    def _call(self, callback: Callable[..., None] | None, *arguments: object) -> None:
        """Call back; what it raises ends :meth:`run`, which raises it."""
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001  # not swallowed: run() raises it
            self._bug = self._bug or error
            self._link.wire.abort(error)
