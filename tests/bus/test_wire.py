"""Bytes to bursts: every way to split them, every way to spoil them."""

import asyncio
import itertools
from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.inbox import Burst, Inbox
from bus.packets import Delivery, Handlers
from bus.salvage import packet_length, salvage
from bus.wire import Wire, puback_bytes, publish_bytes, publish_size


class Heard:
    """A connection without a socket, and what it told."""

    def __init__(self) -> None:
        self.bursts: list[list[Delivery]] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.errors: list[BaseException] = []
        nothing: Any = lambda *_: None  # noqa: E731  # a handler that is not looked at here
        self.wire = Wire(1, Handlers(nothing, nothing, self.bursts.append, self.acknowledged.extend, nothing, nothing))
        self.wire.data_received(b"\x20\x03\x00\x00\x00")
        self.wire.abort = self.errors.append  # type: ignore[method-assign, assignment]  # there is no socket to drop

    @property
    def messages(self) -> list[tuple[str, bytes, int | None]]:
        return [(one.topic, one.payload, one.packet_id) for burst in self.bursts for one in burst]


MESSAGES = [("m/a", b"", 1), ("m/plant/machine/reading", bytes(300), 2), ("m/é", b"\x30\x00", 65_534)]
STREAM = b"".join(
    publish_bytes(topic, payload, packet_id=packet_id, retain=False, duplicate=False)
    for topic, payload, packet_id in MESSAGES
) + puback_bytes([7, 9])


@given(st.lists(st.integers(1, len(STREAM) - 1)))
async def test_any_split_gives_the_same_messages(cuts: list[int]) -> None:
    heard = Heard()
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        heard.wire.data_received(STREAM[start:end])
    assert heard.messages == MESSAGES
    assert heard.acknowledged == [(7, 0), (9, 0)]
    assert heard.errors == []


async def test_byte_by_byte() -> None:
    heard = Heard()
    for index in range(len(STREAM)):
        heard.wire.data_received(STREAM[index : index + 1])
    assert heard.messages == MESSAGES


async def test_one_read_is_one_burst() -> None:
    heard = Heard()
    heard.wire.data_received(STREAM)
    assert [len(burst) for burst in heard.bursts] == [3]


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(b"\x00\x00", id="reserved packet type"),
        pytest.param(b"\x32\xff\xff\xff\xff\xff", id="length of five bytes"),
        pytest.param(b"\x32\x05\x00\x09abc", id="topic longer than the packet"),
        pytest.param(b"\x36\x05\x00\x01a\x00\x01\x00", id="QoS 3"),
        pytest.param(b"\x32\x05\x00\x01a\x00\x01", id="no length of the properties"),
        pytest.param(b"\x20\x01\x00", id="CONNACK cut short"),
        pytest.param(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00", id="CONNECT from a broker"),
    ],
)
async def test_malformed_packets_end_the_connection_after_the_good_ones(spoiled: bytes) -> None:
    heard = Heard()
    heard.wire.data_received(STREAM + spoiled + bytes(20))
    assert heard.messages == MESSAGES
    assert len(heard.errors) == 1
    assert isinstance(heard.errors[0], ConnectionError)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_topic_that_is_no_text_is_delivered_all_the_same() -> None:
    heard = Heard()
    spoiled = b"\x3b\x0b\x00\x03m/\xff\x00\x05\x02\x01\x01h"
    for index in range(len(spoiled)):
        heard.wire.data_received(spoiled[index : index + 1])
    heard.wire.data_received(STREAM)
    assert heard.messages == [("m/\\xff", b"h", 5), *MESSAGES]
    assert heard.errors == []


@given(st.sampled_from(MESSAGES), st.booleans())
def test_salvage_reads_what_the_library_wrote(message: tuple[str, bytes, int], retain: bool) -> None:
    topic, payload, packet_id = message
    data = publish_bytes(topic, payload, packet_id=packet_id, retain=retain, duplicate=True)
    assert salvage(data) == (topic, payload, packet_id, retain, True)
    for end in range(2, len(data) - len(payload)):
        with pytest.raises(ValueError):
            salvage(data[:end])


@given(st.binary(max_size=200))
async def test_no_bytes_raise(noise: bytes) -> None:
    heard = Heard()
    heard.wire.data_received(STREAM + noise)
    assert heard.messages[:3] == MESSAGES
    assert all(isinstance(error, ConnectionError) for error in heard.errors)


def test_an_exception_of_a_handler_is_not_swallowed() -> None:
    async def receive() -> list[BaseException]:
        heard = Heard()
        heard.bursts = None  # type: ignore[assignment]  # any bug of a handler
        heard.wire._handlers = Handlers(*[lambda *_: 1 / 0] * 6)  # type: ignore[arg-type]
        heard.wire.data_received(STREAM)
        return heard.errors

    assert [type(error) for error in asyncio.run(receive())] == [ZeroDivisionError]


def test_burst_acknowledgements_are_those_of_the_library() -> None:
    ids = [1, 255, 256, 65_535]
    assert puback_bytes(ids) == b"".join(mqtt5.PubAckPacket(one).write() for one in ids)
    assert puback_bytes([]) == b""


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="+#\0"), min_size=1, max_size=50), st.binary(max_size=300)
)
def test_the_size_of_a_packet_is_never_underrated(topic: str, payload: bytes) -> None:
    data = publish_bytes(topic, payload, packet_id=1, retain=True, duplicate=True)
    assert len(data) <= publish_size(topic, payload) <= len(data) + 4
    assert packet_length(data) == len(data)


def test_the_length_of_a_packet_is_known_only_with_its_whole_length_field() -> None:
    assert packet_length(b"\x30") is None
    assert packet_length(b"\x30\x80\x80") is None
    assert packet_length(b"\x30\x80\x80\x01") == 4 + 128 * 128


def burst(inbox: Inbox, *packet_ids: int | None) -> Burst:
    heard: list[Delivery] = []
    for packet_id in packet_ids:
        qos = mqtt5.QoS.AT_MOST_ONCE if packet_id is None else mqtt5.QoS.AT_LEAST_ONCE
        heard.append(mqtt5.PublishPacket("m/a", b"", qos=qos, packet_id=packet_id))
    return inbox.receive(heard)


def test_acknowledgements_leave_in_the_order_of_delivery() -> None:
    inbox = Inbox()
    inbox.opened(1)
    first, second, third = burst(inbox, 1, None), burst(inbox, 2), burst(inbox, 3)
    assert inbox.acknowledge(second) == []
    assert inbox.acknowledge(first) == [1, 2]
    assert inbox.acknowledge(first) == []
    assert len(inbox) == 1
    inbox.opened(2)
    assert inbox.acknowledge(third) == []
    assert inbox.stale == 1
    assert len(inbox) == 0
