"""What is published: bounds, refusals, sizes; on real brokers where one is needed."""

from pathlib import Path

import pytest

from bus.client import BrokerAddress, OutboxFull, PacketTooLarge, PublishRefused, Session, SessionClosed
from bus.outbox import Outbox, Outgoing
from tests.bus.brokers import Embedded, Mosquitto, Subscriber, running, until

NOWHERE = BrokerAddress("127.0.0.1", 1)


def message(name: str, size: int = 1) -> Outgoing:
    return Outgoing(name, b"", False, size, None)


def take_all(outbox: Outbox) -> list[tuple[str, int, bool]]:
    taken = []
    while (one := outbox.take()) is not None:
        taken.append((one[0].topic, one[0].packet_id, one[1]))
    return taken


def test_the_window_bounds_what_is_in_flight() -> None:
    outbox = Outbox(10, 100)
    outbox.window = 2
    for name in "abc":
        outbox.add(message(name))
    assert take_all(outbox) == [("a", 1, False), ("b", 2, False)]
    assert outbox.settle(1) is not None
    assert outbox.settle(1) is None
    assert take_all(outbox) == [("c", 3, False)]
    assert len(outbox) == 2


def test_a_kept_session_gets_the_same_packet_ids_marked_as_duplicates() -> None:
    outbox = Outbox(10, 100)
    outbox.window = 3
    for name in "abcd":
        outbox.add(message(name))
    take_all(outbox)
    outbox.settle(2)
    outbox.reconnected(session_present=True)
    outbox.window = 10
    assert take_all(outbox) == [("a", 1, True), ("c", 3, True), ("d", 4, False)]


def test_a_new_session_gets_them_as_new() -> None:
    outbox = Outbox(10, 100)
    outbox.window = 10
    for name in "ab":
        outbox.add(message(name))
    take_all(outbox)
    outbox.reconnected(session_present=False)
    assert [(topic, duplicate) for topic, _, duplicate in take_all(outbox)] == [("a", False), ("b", False)]


def test_packet_ids_wrap_without_meeting_those_in_flight() -> None:
    outbox = Outbox(100_000, 10**9)
    outbox.window = 2
    outbox.add(message("slow"))
    assert outbox.take() is not None
    seen = set()
    for _ in range(70_000):
        outbox.add(message("quick"))
        one = outbox.take()
        assert one is not None
        seen.add(one[0].packet_id)
        outbox.settle(one[0].packet_id)
    assert seen == set(range(2, 65_280)), "the last ones are for subscriptions"


@pytest.mark.parametrize(("count", "size"), [(4, 1), (2, 60)])
def test_an_outbox_is_bounded_in_number_and_bytes(count: int, size: int) -> None:
    outbox = Outbox(3, 100)
    for _ in range(count - 1):
        outbox.add(message("a", size))
    with pytest.raises(OutboxFull, match=r"the bounds are 3 and 100"):
        outbox.add(message("a", size))


def test_an_empty_outbox_takes_a_message_of_any_size() -> None:
    Outbox(3, 100).add(message("a", 1_000))


@pytest.mark.parametrize("topic", ["", "m/+/reading", "m/#", "m/\0", "m/" + "x" * 70_000])
async def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        Session(NOWHERE, client_id="publisher").publish(topic, b"")


async def test_publishing_is_bounded_while_the_broker_is_away() -> None:
    session = Session(NOWHERE, client_id="publisher", max_queued=2)
    answers: list[int | None] = []
    session.publish("m/a", b"1", done=answers.append)
    session.publish("m/a", b"2")
    with pytest.raises(OutboxFull):
        session.publish("m/a", b"3")
    assert session.backlog == 2
    async with running(session, connected=False):
        await until(lambda: "refused" in session.state.reason)
    assert answers == [None]
    with pytest.raises(SessionClosed):
        await session.publish_all([("m/a", b"4")])


async def test_what_was_queued_before_is_sent_once_connected(broker: Mosquitto | Embedded) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher")
    answers: list[int | None] = []
    publisher.publish("m/a", b"early", done=answers.append)
    async with running(collector.session, publisher):
        await until(lambda: collector.payloads == [b"early"])
        await publisher.flush()
    assert len(answers) == 1
    assert answers[0] in (0, 16)


async def test_a_session_that_ends_sends_what_is_queued_first(broker: Mosquitto | Embedded) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session):
        async with running(publisher):
            for index in range(3_000):
                publisher.publish("m/a", b"%d" % index)
        assert publisher.backlog == 0
        await until(lambda: len(collector.payloads) == 3_000)


async def test_a_megabyte_and_a_half_passes(broker: Mosquitto | Embedded) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher")
    big = bytes(range(256)) * 6_000
    async with running(collector.session, publisher):
        await publisher.publish_all([("m/a", big), ("m/a", b"small")])
        await until(lambda: len(collector.payloads) == 2)
    assert collector.payloads == [big, b"small"]


@pytest.mark.mosquitto
async def test_more_than_the_broker_accepts_is_refused_by_name(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "max_packet_size 1000")
    await broker.start()
    session = Session(broker.address, client_id="publisher")
    answers: list[int | None] = []
    session.publish("m/early", bytes(2_000), done=answers.append)  # the limit is not known yet
    try:
        async with running(session):
            with pytest.raises(PacketTooLarge, match=r"m/late.*the broker accepts 1,000"):
                session.publish("m/late", bytes(2_000))
            await session.publish_all([("m/late", bytes(100))])
            assert answers == [149]
    finally:
        await broker.kill()
    with pytest.raises(PacketTooLarge):
        Session(NOWHERE, client_id="publisher").publish("m/a", bytes(17 * 2**20))


@pytest.mark.mosquitto
async def test_a_refusal_of_the_broker_is_told_after_all_were_answered(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite m/#\n")
    broker = Mosquitto(tmp_path, f"acl_file {tmp_path}/acl")
    await broker.start()
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher")
    try:
        async with running(collector.session, publisher):
            with pytest.raises(PublishRefused, match=r"refused 1 messages \(reason code 135\)"):
                await publisher.publish_all([("m/a", b"1"), ("secret/a", b"2"), ("m/a", b"3")])
            await until(lambda: collector.payloads == [b"1", b"3"])
    finally:
        await broker.kill()
