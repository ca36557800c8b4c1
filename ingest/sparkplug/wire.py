"""Protocol Buffers on the wire: tag, value; tag, value. Reads and writes what a Sparkplug payload is made of.

Encoding: varints, 64-bit, length-delimited and 32-bit fields (wire types 0, 1, 2 and 5). Groups (3 and 4) do not occur
in Sparkplug and are refused.
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_VARINT_BYTES: Final = 10
_64_BITS: Final = 2**64 - 1


class Malformed(ValueError):
    """The bytes are no Sparkplug payload: ``field`` names the part, ``value`` what stood there, ``rule`` the rule."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field or 'payload'}: {value}: {rule}")
        self.field, self.value, self.rule = field, value, rule


def fields(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Each field as (number, wire type, integer, bytes): varints as integer, everything else as its bytes.

    Raises:
        Malformed: truncated, a varint of more than 64 bits, a group, or field number 0.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise Malformed("", f"byte {at}", "fields of Protocol Buffers, whose numbers begin at 1")
        if kind == VARINT:
            integer, at = _varint(data, at)
            yield number, kind, integer, b""
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise Malformed("", f"wire type {kind} at byte {at}", "fields of Protocol Buffers, without groups")
        if size > end - at:
            raise Malformed("", f"{end} bytes", f"{at + size} bytes at least: the payload is cut off")
        yield number, kind, 0, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(at, min(at + _VARINT_BYTES, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, position + 1
        shift += 7
    if at + _VARINT_BYTES <= len(data):
        raise Malformed("", f"byte {at}", "a number of at most 64 bits")
    raise Malformed("", f"{len(data)} bytes", "more bytes: the payload is cut off in a number")


def varint(number: int, value: int) -> bytes:
    """A varint field; negative integers as two's complement of 64 bits."""
    return _number(number << 3 | VARINT) + _number(value & _64_BITS)


def delimited(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return _number(number << 3 | BYTES) + _number(len(value)) + value


def fixed(number: int, value: bytes) -> bytes:
    """A field of 4 or 8 bytes."""
    return _number(number << 3 | (FIXED32 if len(value) == 4 else FIXED64)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
