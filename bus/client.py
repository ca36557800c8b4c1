"""A durable MQTT 5 session: reconnects by itself, hands over bursts, is acknowledged by hand.

Messages stay at the broker until :meth:`Session.acknowledge`; after a broken connection the broker sends the
unacknowledged ones again, so a program that acknowledges what it has on disk loses nothing between broker and disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from bus import reasons
from bus.address import BrokerAddress
from bus.inbox import Burst, Inbox
from bus.line import Line
from bus.outbox import Done, OutboxFull, PacketTooLarge
from bus.packets import Delivery, Handlers, Hello, Welcome, Will
from bus.presence import Memory, Presence
from bus.publisher import Publisher, PublishRefused, SessionClosed
from bus.requests import Requests
from bus.standing import SessionState, Standing
from bus.subscriptions import Subscriptions
from bus.wire import Wire, puback_bytes

__all__ = [
    "BrokerAddress",
    "Burst",
    "Delivery",
    "Memory",
    "OutboxFull",
    "PacketTooLarge",
    "PublishRefused",
    "Session",
    "SessionClosed",
    "SessionState",
    "Will",
]

WEEK_S: Final = 7 * 86_400


class Session:
    """One client of a broker under a fixed client id; all methods belong to the event loop of :meth:`run`.

    Args:
        address: the broker.
        client_id: unique at the broker and the same after each restart of the program.
        subscriptions: topic filters, subscribed with QoS 1 on every connect; ``topics`` changes them.
        retained_once: of which filters retained messages shall come once a session, and not on every connection.
        on_burst: gets every burst, synchronously; an exception from any callback ends :meth:`run` with it.
        on_state: called with (connected, session_present, reason) on each change of these.
        on_session_lost: called with a sentence when the broker came back without the session that it had, or with
            another in its place; never when ``session_expiry_s`` is 0, which asks it to keep none.
        will: published by the broker when the connection breaks, and by :meth:`run` when it ends in good order.
        expect_session: an earlier life of the program had a session already, so a new one is a loss.
        memory: what the program remembers of its session beyond that; None: nothing.
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
        retained_once: Callable[[str], bool] = lambda _: False,
        on_burst: Callable[[Burst], None] | None = None,
        on_state: Callable[[bool, bool, str], None] | None = None,
        on_session_lost: Callable[[str], None] | None = None,
        will: Will | None = None,
        expect_session: bool = False,
        memory: Memory | None = None,
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
        self._requests = Requests()
        self.topics = Subscriptions(subscriptions, self._requests, self._on_subscribed, retained_once)
        self.on_burst = on_burst
        self.on_state = on_state
        self.on_session_lost = on_session_lost
        self._presence = Presence(self._requests, expect_session, memory, self._on_session_lost)
        self._standing = Standing()
        self._will = will
        self._hello = Hello(
            client_id, address.user, address.password, will, keep_alive_s, session_expiry_s, receive_max
        )
        self._publisher = Publisher(publish_window, max_queued, max_queued_bytes)
        handlers = Handlers(
            welcome=self._on_welcome,
            answered=self._requests.answered,
            deliveries=self._on_deliveries,
            acknowledged=self._publisher.acknowledged,
            writable=self._publisher.pump,
            lost=self._on_lost,
        )
        self._line = Line(address, self._hello, handlers, connect_timeout_s, close_timeout_s)
        self._wire: Wire | None = None  # from the broker's welcome to the loss
        self._present = False
        self._inbox = Inbox()
        self._paused = False

    @property
    def state(self) -> SessionState:
        """How the session stands now."""
        return self._standing.state

    @property
    def connected(self) -> bool:
        """Whether the session is connected and subscribed."""
        return self.state.connected

    @property
    def epoch(self) -> int:
        """Number of the connection of the moment, or of the last one; from 1."""
        return self._line.epoch

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
        try:
            await self._line.run(stop, lambda reason: self._set_state(connected=False, reason=reason), self._last_words)
        finally:
            if self._wire is not None:
                self._wire.abort(ConnectionAbortedError("the program ends"))
            self._publisher.close()
            self._standing.end()

    async def _last_words(self) -> None:
        self.resume()  # the PUBACKs of what is flushed must be read
        if self._will is not None:
            with suppress(OutboxFull):
                self.publish(self._will.topic, self._will.payload, retain=self._will.retain)
        await self.flush()

    def _on_welcome(self, welcome: Welcome) -> None:
        wire = self._line.link.wire
        if welcome.code:
            said = reasons.refusal(welcome.code, self.address, self.client_id, welcome.said)
            wire.abort(ConnectionRefusedError(said))
            return
        self._wire = wire
        self._inbox.opened(wire.epoch)
        self._present = welcome.session_present
        wire.keep_alive(welcome.keep_alive_s or self._hello.keep_alive_s)
        self._requests.attach(wire)
        # Asked about first: a broker that has answered about the topics has then answered which session it has, too.
        self._call(self._presence.welcomed, welcome.session_present)
        self.topics.attach()
        self._presence.asked()
        self._publisher.attach(wire, welcome)
        if self._paused:
            wire.pause()
        if not self.topics.patterns or self._paused:  # the SUBACK of a paused connection comes when it is resumed
            self._set_state(connected=True, reason="")
        self._line.link.welcomed.set_result(None)

    def _on_subscribed(self, patterns: Sequence[str], codes: Sequence[int]) -> None:
        reason = reasons.refused_subscriptions(patterns, codes, self.address, self.client_id)
        if reason or not self.connected:
            self._set_state(connected=True, reason=reason)
        self._presence.answered()

    def _on_session_lost(self, reason: str) -> None:
        if self._hello.session_expiry_s:
            self._standing.lost_session()
            self._call(self.on_session_lost, reasons.located(reason, self.address))

    def _on_deliveries(self, deliveries: list[Delivery]) -> None:
        if self._line.closing or self._wire is None:
            return  # the broker keeps them for our next connection
        burst = self._inbox.receive(deliveries)
        if self.on_burst is None:
            self.acknowledge(burst)
        else:
            self._call(self.on_burst, burst)

    def _on_lost(self, epoch: int, code: int | None, error: BaseException | None) -> None:
        if epoch != self._line.epoch:
            return
        self._wire = None
        self._inbox.opened(0)
        self._publisher.detach()
        self._requests.detach()
        self._set_state(connected=False, reason=self._line.lost(code, error))

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
            self._line.fail(error)
