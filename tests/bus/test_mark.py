"""A session that is not the one on record is told, whatever the broker says of its presence; no other is."""

import asyncio
from pathlib import Path
from typing import Any

import mqtt5
import pytest

from bus.client import Memory, Session
from bus.mark import FILTERS, Mark, _filters
from bus.requests import Requests
from tests.bus.brokers import Embedded, Mosquitto, Proxy, Subscriber, running, until
from tests.faults.proxy import Mode

Broker = Mosquitto | Embedded
NAME = "collector"


class Life(Subscriber):
    """One life of a program that remembers the mark of its session."""

    def __init__(self, broker: Broker | Proxy, mark: int, **options: Any) -> None:
        self.marks: list[int] = []
        self.doubts = 0
        super().__init__(
            broker.address, client_id=NAME, expect_session=mark != 0,
            memory=Memory(mark, self._doubt, self.marks.append), **options,
        )  # fmt: skip

    def _doubt(self) -> None:
        self.doubts += 1

    async def marked(self, times: int = 1) -> int:
        """The mark, when it was told so often."""
        await until(lambda: len(self.marks) >= times)
        return self.marks[-1]


async def lived(broker: Broker | Proxy, mark: int) -> Life:
    """A life from its beginning until it knows its session."""
    life = Life(broker, mark)
    async with running(life.session):
        await life.marked()
    return life


async def stranger(
    broker: Broker, *packets: mqtt5.Packet, clean_start: bool = False, answers: int = 1
) -> list[mqtt5.Packet]:
    """A client under the name of ours that is gone without a goodbye after so many packets of the broker."""
    reader, writer = await asyncio.open_connection(broker.address.host, broker.address.port)
    hello = mqtt5.ConnectPacket(NAME, clean_start=clean_start, keep_alive=20, session_expiry_interval=3_600)
    heard, data = list[mqtt5.Packet](), b""
    for number, packet in enumerate((hello, *packets)):
        writer.write(packet.write())
        while len(heard) <= number:
            data += await asyncio.wait_for(reader.read(65_536), 60)
            packet, length = mqtt5.read(memoryview(data))
            heard.append(packet)
            data = data[length:]
    assert len(heard) == answers
    writer.transport.abort()
    return heard


async def test_a_kept_session_is_known_over_connections_and_lives(broker: Broker, proxy: Proxy) -> None:
    first = await lived(broker, 0)
    mark = first.marks[0]
    assert (first.losses, first.doubts, mark > 1) == ([], 1, True)
    life = Life(proxy, mark)
    async with running(life.session):
        for connection in range(1, 2 * FILTERS):
            assert await life.marked(connection) == mark
            proxy.cut()
    assert life.losses == []
    assert life.doubts >= len(life.marks)
    assert (await lived(broker, mark)).losses == []


@pytest.mark.mosquitto
async def test_a_loss_that_a_killed_life_alone_had_seen_is_told(mosquitto_here: Mosquitto) -> None:
    mark = (await lived(mosquitto_here, 0)).marks[0]
    await mosquitto_here.restart()
    assert not (await stranger(mosquitto_here))[0].session_present  # type: ignore[union-attr]  # a CONNACK
    life = await lived(mosquitto_here, mark)
    assert life.session.state.session_present
    assert ["another session" in loss for loss in life.losses] == [True]
    assert life.session.state.session_losses == 1
    again = await lived(mosquitto_here, life.marks[0])
    assert (again.losses, again.marks) == ([], life.marks)


@pytest.mark.mosquitto
async def test_a_welcome_that_the_line_swallowed_hides_no_loss(
    mosquitto_here: Mosquitto, mosquitto_proxy: Proxy
) -> None:
    life = Life(mosquitto_proxy, 0, connect_timeout_s=0.5)
    async with running(life.session):
        mark = await life.marked()
        await mosquitto_proxy.become(Mode.SWALLOW_REPLIES)
        dialled = mosquitto_proxy.dialled
        await mosquitto_here.restart()
        await until(lambda: mosquitto_proxy.dialled > dialled + 1)  # the broker has welcomed one in vain
        await mosquitto_proxy.become(Mode.PASS)
        assert await life.marked(2) != mark
    assert len(life.losses) == 1


@pytest.mark.mosquitto
async def test_another_client_that_began_a_session_of_our_name_is_noticed(mosquitto_here: Mosquitto) -> None:
    mark = (await lived(mosquitto_here, 0)).marks[0]
    await stranger(mosquitto_here, clean_start=True)
    life = await lived(mosquitto_here, mark)
    assert (len(life.losses), life.session.state.session_present) == (1, True)


@pytest.mark.mosquitto
@pytest.mark.parametrize("interrupted", [1, FILTERS - 1, FILTERS])
async def test_questions_that_were_never_answered_make_no_stranger(mosquitto_here: Mosquitto, interrupted: int) -> None:
    mark = (await lived(mosquitto_here, 0)).marks[0]
    for place in range(interrupted):
        await stranger(mosquitto_here, mqtt5.UnsubscribePacket(1, [_filters(mark)[place]]), answers=2)
    life = await lived(mosquitto_here, mark)
    assert len(life.losses) == (interrupted == FILTERS)
    assert (life.marks[0] == mark) == (interrupted < FILTERS)
    assert (await lived(mosquitto_here, life.marks[0])).losses == []


@pytest.mark.mosquitto
async def test_a_mark_needs_no_rights(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read m/#\n")
    broker = Mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}")
    await broker.start()
    try:
        mark = (await lived(broker, 0)).marks[0]
        assert mark > 1
        again = await lived(broker, mark)
        assert (again.losses, again.marks) == ([], [mark])
    finally:
        await broker.kill()


async def test_a_session_from_before_marks_gets_one(broker: Broker) -> None:
    old = Subscriber(broker.address, client_id=NAME)
    async with running(old.session):
        await until(lambda: old.session.connected)
    life = await lived(broker, 0)
    assert (life.losses, life.session.state.session_present, life.marks[0] > 1) == ([], True, True)


async def test_a_session_is_subscribed_when_it_is_marked(broker: Broker) -> None:
    await lived(broker, 0)
    async with running(publisher := Session(broker.address, client_id="publisher")):
        await publisher.publish_all([("m/plant/booth/reading", b"1")])
    life = Life(broker, 0)
    async with running(life.session):
        await until(lambda: life.payloads == [b"1"])


class Asked:
    """A connection without a socket: what was asked on it, and the answers that it is given."""

    def __init__(self, number: int) -> None:
        self.requests = Requests()
        self.sent: list[mqtt5.Packet] = []
        self.requests.attach(self)  # type: ignore[arg-type]  # all it needs of a wire
        self.told: list[int | str] = []
        self.mark = Mark(self.requests, number, self.told.append, lambda: self.told.append("lost"))

    def write(self, data: bytes) -> None:
        self.sent.append(mqtt5.read(memoryview(data))[0])

    def answer(self, code: int) -> None:
        packet: Any = self.sent.pop(0)
        self.requests.answered(packet.packet_id, [code] * FILTERS)


def test_a_broker_that_refuses_the_mark_or_owes_the_answer_gives_no_false_alarm() -> None:
    refusing = Asked(0)
    refusing.mark.welcomed(session_present=True)
    refusing.mark.asked()
    refusing.mark.answered()
    refusing.answer(0x87)
    assert refusing.told == [0]
    silent = Asked(7)
    silent.mark.welcomed(session_present=True)
    silent.mark.asked()
    silent.mark.answered()
    silent.mark.answered()
    assert silent.told == [7]
    assert len(silent.sent) == 1


def test_only_when_no_filter_was_there_it_is_another_session() -> None:
    asked = Asked(7)
    asked.mark.welcomed(session_present=True)
    asked.mark.asked()
    for number in range(FILTERS):
        assert asked.told == []
        asked.answer(0x11)
        if number == 0:
            asked.mark.answered()  # about the topics: the question goes on
    asked.answer(1)
    assert asked.told[0] == "lost"
    assert asked.told[1] not in (0, 1, 7)


def test_packet_ids_of_requests_are_their_own() -> None:
    asked = Asked(0)
    for number in range(600):
        asked.requests.subscribe(["m/#"], lambda codes: None)
        packet: Any = asked.sent[-1]
        assert 65_280 <= packet.packet_id <= 65_535
        if number % 2:
            asked.answer(1)
            asked.answer(1)
    for _ in range(256):
        asked.requests.unsubscribe(["m/#"], lambda codes: None)
    assert len({packet.packet_id for packet in asked.sent}) == 256  # type: ignore[union-attr]  # an UNSUBSCRIBE
    with pytest.raises(RuntimeError, match="owes us an answer"):
        asked.requests.subscribe(["m/#"], lambda codes: None)
