"""A PUBLISH that the MQTT library cannot read, for instance for a topic that is no UTF-8: read by hand.

Not every broker checks what devices send. A message that could not be read could not be acknowledged either; it would
come again on every connection and block all that come after it. So it is delivered, for the program to reject.
"""

from typing import Final, NamedTuple

PUBLISH: Final = 3
"""The type in the upper half of a packet's first byte."""


class RawDelivery(NamedTuple):
    """A message as it came; bytes of the topic that are no UTF-8 stand as ``\\xNN``."""

    topic: str
    payload: bytes
    packet_id: int | None
    retain: bool
    duplicate: bool


def packet_length(head: bytes | memoryview) -> int | None:
    """Whole length of the packet that begins here, or None while its length field is incomplete.

    Raises:
        ValueError: the length field has more than four bytes (MQTT 5.0, section 2.1.4).
    """
    length, index = _variable_integer(head, 1)
    return None if index is None else index + length


def salvage(packet: bytes) -> RawDelivery:
    """Read a whole PUBLISH packet with QoS 0 or 1, without looking at its properties.

    Raises:
        ValueError: it is none, or its fields reach beyond its end.
    """
    kind, qos = packet[0] >> 4, packet[0] >> 1 & 3
    if kind != PUBLISH:
        raise ValueError(f"a packet of type {kind} that does not make sense")
    if qos > 1:
        raise ValueError(f"a message with QoS {qos}")
    _, start = _variable_integer(packet, 1)
    topic, start = _field(packet, start or 0)
    packet_id = None
    if qos:
        packet_id = int.from_bytes(packet[start : start + 2], "big")
        start += 2
    properties, index = _variable_integer(packet, start)
    if index is None or index + properties > len(packet):
        raise ValueError("the packet ends inside a field")
    return RawDelivery(
        topic=topic.decode(errors="backslashreplace"),
        payload=packet[index + properties :],
        packet_id=packet_id,
        retain=bool(packet[0] & 1),
        duplicate=bool(packet[0] & 8),
    )


def _field(packet: bytes, start: int) -> tuple[bytes, int]:
    begin = start + 2
    end = begin + int.from_bytes(packet[start:begin], "big")
    if end > len(packet):
        raise ValueError("the packet ends inside a field")
    return packet[begin:end], end


def _variable_integer(data: bytes | memoryview, start: int) -> tuple[int, int | None]:
    """The number and the index after it; None for the index when the data end inside it."""
    number = 0
    for place, byte in enumerate(data[start : start + 4]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, start + place + 1
    if len(data) >= start + 4:
        raise ValueError("a length of more than four bytes")
    return number, None
