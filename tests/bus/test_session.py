"""Sessions on both brokers: bursts, redelivery, acknowledgements, loss of the session."""

import asyncio

import pytest

from bus.client import Session, SessionClosed, Will
from tests.bus.brokers import Embedded, Mosquitto, Proxy, Subscriber, running, until

Broker = Mosquitto | Embedded


def numbered(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    return [(f"m/plant/machine-{index % 7}/reading", b"%d" % index) for index in range(first, first + count)]


def payloads(count: int, first: int = 0) -> list[bytes]:
    return [payload for _, payload in numbered(count, first)]


async def test_messages_come_in_bursts_and_in_order(broker: Broker) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        await publisher.publish_all(numbered(2_000))
        await until(lambda: len(collector.payloads) >= 2_000)
        assert collector.session.unacknowledged == 0
        assert publisher.backlog == 0
    assert collector.payloads == payloads(2_000)
    assert len(collector.bursts) < 1_000
    assert {burst.epoch for burst in collector.bursts} == {1}


async def test_all_of_twenty_thousand_arrive(broker: Broker) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(broker.address, client_id="publisher", max_queued=3_000)
    async with running(collector.session, publisher):
        await publisher.publish_all(numbered(20_000))
        await until(lambda: len(collector.payloads) >= 20_000)
    assert collector.payloads == payloads(20_000)


async def test_unacknowledged_come_again_and_acknowledged_do_not(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address)
    collector.hold = True
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        await publisher.publish_all(numbered(50))
        await until(lambda: len(collector.payloads) == 50)
        assert collector.session.unacknowledged == 50
        collector.hold = False
        proxy.cut()
        await until(lambda: len(collector.payloads) == 100)
        assert collector.of_epoch(1) == payloads(50)
        assert collector.of_epoch(max(burst.epoch for burst in collector.bursts)) == payloads(50)

        seen = len(collector.states)
        proxy.cut()
        await until(lambda: len(collector.states) >= seen + 2)
        await collector.session.wait_connected()
        await publisher.publish_all(numbered(1, first=99))
        await until(lambda: len(collector.payloads) > 100)
    assert collector.payloads[100:] == [b"99"]
    assert collector.losses == []
    assert collector.states[-2][:2] == (True, True)


async def test_acknowledgements_of_a_gone_connection_are_dropped(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address)
    collector.hold = True
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        await publisher.publish_all(numbered(5))
        await until(lambda: len(collector.payloads) == 5)
        old = list(collector.bursts)
        proxy.cut()
        await until(lambda: len(collector.payloads) == 10)
        for burst in old:
            collector.session.acknowledge(burst)
        assert collector.session.stale_acknowledgements == len(old)
        assert collector.session.unacknowledged == 5
        proxy.cut()
        await until(lambda: len(collector.payloads) == 15)
    assert collector.payloads == payloads(5) * 3


async def test_bursts_acknowledged_out_of_order_are_acknowledged_in_order(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address)
    collector.hold = True
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        for index in range(3):
            await publisher.publish_all(numbered(1, first=index))
            await until(lambda index=index: len(collector.payloads) == index + 1)  # type: ignore[misc]  # mypy: lambda default
        for burst in reversed(collector.bursts[1:]):
            collector.session.acknowledge(burst)
        assert collector.session.unacknowledged == 3
        collector.session.acknowledge(collector.bursts[0])
        assert collector.session.unacknowledged == 0
        await publisher.publish_all(numbered(1, first=3))
        await until(lambda: len(collector.payloads) == 4)
    assert {burst.epoch for burst in collector.bursts} == {1}, "the broker hung up on acknowledgements out of order"


async def test_a_broker_without_our_session_is_noticed(broker: Broker) -> None:
    collector = Subscriber(broker.address)
    async with running(collector.session):
        assert collector.session.state.session_losses == 0
        await broker.restart()
        await until(lambda: collector.losses and collector.session.connected)
        assert len(collector.losses) == 1
        assert "without our session" in collector.losses[0]
        assert collector.session.state.session_losses == 1
        assert not collector.session.state.session_present

        publisher = Session(broker.address, client_id="publisher")
        async with running(publisher):
            await publisher.publish_all(numbered(3))
        await until(lambda: len(collector.payloads) == 3)


async def test_the_first_session_of_a_new_life_is_a_loss_only_when_one_was_expected(broker: Broker) -> None:
    first = Subscriber(broker.address, client_id="first")
    expecting = Subscriber(broker.address, client_id="second", expect_session=True)
    async with running(first.session, expecting.session):
        assert first.losses == []
        assert len(expecting.losses) == 1
    again = Subscriber(broker.address, client_id="first", expect_session=True)
    async with running(again.session):
        assert again.losses == []
        assert again.session.state.session_present


@pytest.mark.mosquitto
async def test_a_killed_mosquitto_with_persistence_keeps_what_it_saved(tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest's
    broker = Mosquitto(tmp_path, persistence=True)
    await broker.start()
    collector = Subscriber(broker.address)
    collector.hold = True
    publisher = Session(broker.address, client_id="publisher")
    try:
        async with running(collector.session, publisher):
            await publisher.publish_all(numbered(20))
            await until(lambda: len(collector.payloads) == 20)
            await broker.save()
            collector.hold = False
            await broker.restart()
            await until(lambda: len(collector.payloads) >= 40)
        assert collector.payloads == payloads(20) * 2
        assert collector.losses == []
    finally:
        await broker.kill()


async def test_what_was_queued_while_away_comes_at_reconnection(broker: Broker) -> None:
    publisher = Session(broker.address, client_id="publisher")
    async with running(Subscriber(broker.address).session):
        pass
    async with running(publisher):
        await publisher.publish_all(numbered(500))
    collector = Subscriber(broker.address)
    async with running(collector.session):
        await until(lambda: len(collector.payloads) >= 500)
    assert collector.payloads == payloads(500)


async def test_a_new_topic_joins_a_kept_session(broker: Broker) -> None:
    async with running(Subscriber(broker.address, "m/#").session):
        pass
    wider = Subscriber(broker.address, "m/#", "spBv1.0/#")
    publisher = Session(broker.address, client_id="publisher")
    async with running(wider.session, publisher):
        assert wider.session.state.session_present
        await publisher.publish_all([("spBv1.0/plant/NBIRTH/node", b"born")])
        await until(lambda: wider.payloads == [b"born"])


async def test_the_will_is_published_when_the_connection_breaks_and_when_it_ends(broker: Broker, proxy: Proxy) -> None:
    watcher = Subscriber(broker.address, "net/#", client_id="watcher")
    program = Session(proxy.address, client_id="program", will=Will("net/v1/health/program", b"dead"))
    async with running(watcher.session):
        async with running(program):
            proxy.cut()
            await until(lambda: watcher.payloads == [b"dead"])
            await program.wait_connected()
        await until(lambda: watcher.payloads == [b"dead", b"dead"])


async def test_what_was_published_in_vain_goes_out_after_reconnection(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(broker.address)
    publisher = Session(proxy.address, client_id="publisher")
    async with running(collector.session, publisher):
        sending = asyncio.create_task(publisher.publish_all(numbered(5_000)))
        await until(lambda: len(collector.payloads) > 100)
        proxy.cut()
        await sending
        await until(lambda: set(collector.payloads) == set(payloads(5_000)))
    assert list(dict.fromkeys(collector.payloads)) == payloads(5_000), "order of first arrival"


async def test_an_exception_of_the_handler_ends_the_session_with_it(broker: Broker) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("disk on fire")

    session = Session(broker.address, client_id="program", subscriptions=("m/#",), on_burst=refuse)
    publisher = Session(broker.address, client_id="publisher")
    async with running(publisher):
        run = asyncio.create_task(session.run(asyncio.Event()))
        await session.wait_connected()
        await publisher.publish_all(numbered(1))
        with pytest.raises(RuntimeError, match="disk on fire"):
            await run
    with pytest.raises(SessionClosed):
        session.publish("m/a", b"")
    with pytest.raises(SessionClosed):
        await session.wait_connected()


async def test_a_second_client_of_our_name_is_named_as_the_reason(broker: Broker) -> None:
    ours = Subscriber(broker.address, client_id="same")
    other = Session(broker.address, client_id="same")
    async with running(ours.session, other, connected=False):
        await until(lambda: any("another client connect" in reason for _, _, reason in ours.states))
