"""One TCP connection to a broker: bytes to bursts of deliveries, and back. The only importer of mqtt5.

Nothing here awaits: a socket read is parsed in one go and handed over as one call, so a message costs neither a task
nor a future. Sessions, reconnection and queues are :mod:`bus.client`'s.
"""

import asyncio
import socket
import struct
from collections.abc import Collection, Sequence
from typing import Final, cast

import mqtt5

from bus.packets import Delivery, Handlers, Hello, Welcome
from bus.salvage import PUBLISH, packet_length, salvage

PUBACK_OK: Final = 0x40020000
"""A four-byte PUBACK of success as a number; the packet id goes into the low 16 bits (MQTT 5.0, section 3.4.2.1)."""

_DISCONNECT: Final = mqtt5.DisconnectPacket().write()
_CONNACK: Final = 0x20
"""First byte of the first packet of every broker; some that are none begin like a packet and never end it."""
_PINGREQ: Final = mqtt5.PingReqPacket().write()
_ALWAYS: Final = mqtt5.RetainHandling.SEND_ALWAYS
_IF_NEW: Final = mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS
_MAX_HEADER: Final = 5
_PANIC: Final = "PanicException"
"""A failure inside the library; it derives from BaseException and has no name to import."""


def connect_bytes(hello: Hello) -> bytes:
    """A CONNECT packet, with clean_start false: a session opened with true is never kept on disk by Mosquitto."""
    will = None
    if hello.will is not None:
        topic, payload, retain = hello.will.topic, hello.will.payload, hello.will.retain
        will = mqtt5.Will(topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=retain)
    return mqtt5.ConnectPacket(
        hello.client_id,
        username=hello.user,
        password=None if hello.password is None else hello.password.encode(),
        clean_start=False,
        will=will,
        keep_alive=hello.keep_alive_s,
        session_expiry_interval=hello.session_expiry_s,
        receive_max=hello.receive_max,
    ).write()


def publish_bytes(topic: str, payload: bytes, *, packet_id: int, retain: bool, duplicate: bool) -> bytes:
    """A PUBLISH packet with QoS 1."""
    return mqtt5.PublishPacket(
        topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=retain, packet_id=packet_id, duplicate=duplicate
    ).write()


def publish_size(topic: str, payload: bytes) -> int:
    """Upper bound of the bytes of a PUBLISH packet: fixed header, topic, packet id, no properties, payload."""
    return _MAX_HEADER + 2 + len(topic.encode()) + 2 + 1 + len(payload)


def subscribe_bytes(packet_id: int, patterns: Sequence[str], once: Collection[str] = ()) -> bytes:
    """A SUBSCRIBE packet: QoS 1; what is retained comes with it, for patterns in ``once`` if the session lacks them.

    Only what comes so has ``retain`` set, not what was published so: a message that comes live could then not be told
    from one of unknown age.
    """
    filters = [
        mqtt5.TopicFilter(
            pattern,
            max_qos=mqtt5.QoS.AT_LEAST_ONCE,
            retain_as_published=False,
            retain_handling=_IF_NEW if pattern in once else _ALWAYS,
        )
        for pattern in patterns
    ]
    return mqtt5.SubscribePacket(packet_id, filters).write()


def unsubscribe_bytes(packet_id: int, patterns: Sequence[str]) -> bytes:
    """An UNSUBSCRIBE packet."""
    return mqtt5.UnsubscribePacket(packet_id, list(patterns)).write()


def puback_bytes(packet_ids: Sequence[int]) -> bytes:
    """The PUBACKs of all these messages, in this order."""
    return struct.pack(f">{len(packet_ids)}I", *[PUBACK_OK | packet_id for packet_id in packet_ids])


class Wire(asyncio.Protocol):
    """A connection that has at most one life; ``epoch`` is its number in the life of the session."""

    def __init__(self, epoch: int, handlers: Handlers) -> None:
        self.epoch = epoch
        self.writable = True
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._tail = bytearray()
        self._needed = 0
        self._greeted = False
        self._paused = False
        self._keep_alive_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._said = 0.0
        self._asked: float | None = None
        self._code: int | None = None
        self._error: BaseException | None = None

    # --- what the owner calls

    def write(self, data: bytes) -> None:
        """Send; silently nothing when the connection is gone (:attr:`Handlers.lost` says so)."""
        if self._transport is not None and not self._transport.is_closing():
            self._said = self._loop.time()
            self._transport.write(data)

    def keep_alive(self, seconds: float) -> None:
        """Ping from now on; a peer that is silent for 1.25 times ``seconds`` (checked each quarter) is dead.

        The kernel is told the same of unacknowledged bytes, so a dead peer is found while reading is paused, too.
        """
        self._keep_alive_s = seconds
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1500 * seconds))
        self._heard = self._said = self._loop.time()
        self._tick()

    def pause(self) -> None:
        """Stop reading. Pings go on; silence is then no sign of death, as the answers cannot be read."""
        self._paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self._heard = self._loop.time()
        self._asked = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def disconnect(self) -> None:
        """Say goodbye after what was written; the broker then does not publish the will, and closes.

        Left to the broker: rumqttd 0.20 handles a goodbye and a close that come together as two, and the second one
        may hit whoever connects at that moment.
        """
        self.write(_DISCONNECT)

    def abort(self, error: BaseException) -> None:
        """Drop the connection now, because of ``error``."""
        if self._error is None:
            self._error = error
        if self._transport is not None:
            self._transport.abort()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being a subclass

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._handlers.lost(self.epoch, self._code, self._error or error)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._handlers.writable()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._asked = None
        if not self._greeted:
            self._greeted = True
            if data[0] != _CONNACK:
                self.abort(MalformedPacket("what listens there does not speak MQTT 5"))
                return
        if self._tail:
            self._tail += data
            if len(self._tail) < self._needed:
                return
            data = bytes(self._tail)
            self._tail.clear()
        try:
            self._parse(memoryview(data))
        except Exception as error:  # noqa: BLE001  # whatever a handler raises ends the connection and reaches run()
            self.abort(error)

    def _parse(self, view: memoryview) -> None:
        deliveries: list[Delivery] = []
        acknowledged: list[tuple[int, int]] = []
        malformed = None
        try:
            self._read_all(view, deliveries, acknowledged)
        except MalformedPacket as error:  # after what was good before it
            malformed = error
        if acknowledged:
            self._handlers.acknowledged(acknowledged)
        if deliveries:
            self._handlers.deliveries(deliveries)
        if malformed is not None:
            self.abort(malformed)

    def _read_all(self, view: memoryview, deliveries: list[Delivery], acknowledged: list[tuple[int, int]]) -> None:
        read, publish = mqtt5.read, mqtt5.PublishPacket
        while view:
            try:
                packet, length = read(view)
            except BaseException as error:
                if not isinstance(error, IndexError | ValueError) and type(error).__name__ != _PANIC:
                    raise
                view = self._unreadable(view, deliveries, error)
                continue
            view = view[length:]
            if type(packet) is publish:
                deliveries.append(packet)
            elif type(packet) is mqtt5.PubAckPacket:
                acknowledged.append((packet.packet_id, int(packet.reason_code)))
            else:
                self._control(packet)

    def _unreadable(self, view: memoryview, deliveries: list[Delivery], error: BaseException) -> memoryview:
        """Keep the begun packet until its rest comes; salvage a whole PUBLISH. The bytes after it."""
        try:
            if not isinstance(error, IndexError) and view[0] >> 4 != PUBLISH:
                raise ValueError(error)
            length = packet_length(view)
            if length is None or length > len(view):
                self._needed = length or len(view) + 1
                self._tail += view
                return view[:0]
            deliveries.append(salvage(bytes(view[:length])))
        except ValueError as reason:
            raise MalformedPacket(f"the broker sent a malformed packet: {reason}") from None
        return view[length:]

    def _control(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.ConnAckPacket):
            self._handlers.welcome(
                Welcome(
                    code=int(packet.reason_code),
                    said=packet.reason_str,
                    session_present=packet.session_present,
                    receive_max=packet.receive_max,
                    max_packet_bytes=packet.max_packet_size,
                    keep_alive_s=packet.server_keep_alive,
                )
            )
        elif isinstance(packet, mqtt5.SubAckPacket | mqtt5.UnsubAckPacket):
            self._handlers.answered(packet.packet_id, [int(code) for code in packet.reason_codes])
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self._code = int(packet.reason_code)
            if self._transport is not None:
                self._transport.close()
        elif not isinstance(packet, mqtt5.PingRespPacket):
            raise MalformedPacket(f"the broker sent us a {type(packet).__name__}")

    def _tick(self) -> None:
        now, limit = self._loop.time(), self._keep_alive_s
        unanswered = self._asked is not None and now - self._asked >= 0.5 * limit
        if unanswered and not self._paused and now - self._heard >= 1.25 * limit:
            self.abort(PeerSilent(f"the broker was silent for {now - self._heard:.1f} s"))
            return
        if now - self._heard >= 0.45 * limit or now - self._said >= 0.45 * limit:
            self._asked = self._asked or now
            self.write(_PINGREQ)
        self._timer = self._loop.call_later(limit / 4, self._tick)


class MalformedPacket(ConnectionError):
    """What the broker sent is no MQTT."""


class PeerSilent(ConnectionError):
    """Nothing came from the broker for so long that the connection must be half open."""
