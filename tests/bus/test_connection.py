"""What goes wrong between us and the broker: each case ends in a sentence and, where it can, in a new connection."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.client import BrokerAddress, Session
from tests.bus.brokers import Embedded, Mosquitto, Proxy, Subscriber, running, until
from tests.faults.proxy import Mode
from tests.servers import free_port

Broker = Mosquitto | Embedded


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[BrokerAddress]:
    """A server that is no broker: answers everything with these bytes, hangs up with b"", is silent with None."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer:
            writer.write(answer)
        if answer == b"":
            writer.close()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])


async def reason_of(address: BrokerAddress, *needles: str) -> str:
    """The first reason that a session without a connection gives."""
    session = Session(address, client_id="program", connect_timeout_s=0.5)
    async with running(session, connected=False):
        await until(lambda: session.state.reason != "not connected yet")
        assert not session.connected
        return session.state.reason


async def test_nobody_listens() -> None:
    port = free_port()
    assert await reason_of(BrokerAddress("127.0.0.1", port)) == (
        f"nothing listens there (connection refused) (127.0.0.1:{port})"
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid"])
async def test_a_name_that_means_nothing(host: str) -> None:
    assert host in await reason_of(BrokerAddress(host, 1883))


@pytest.mark.parametrize(
    ("answer", "needle"),
    [
        pytest.param(None, "does not answer", id="silent"),
        pytest.param(b"", "hung up without an answer: wrong user name or password", id="hangs up"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak MQTT 5", id="speaks HTTP"),
        pytest.param(b"\x20\x02\x00\x01", "malformed packet", id="speaks MQTT 3.1"),
        pytest.param(b"\x20\x03\x00\x84\x00", "does not speak MQTT 5", id="refuses MQTT 5"),
        pytest.param(b"\x20\x03\x00\x88\x00", "is unavailable", id="unavailable"),
    ],
)
async def test_who_listens_is_no_broker_for_us(answer: bytes | None, needle: str) -> None:
    async with listening(answer) as address:
        assert needle in await reason_of(address)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A Mosquitto with one user, ``worker`` with password ``right``, who may read below ``m/`` only."""
    command = ["mosquitto_passwd", "-b", "-c", str(tmp_path / "users"), "worker", "right"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    broker = Mosquitto(tmp_path, f"password_file {tmp_path}/users", anonymous=False)
    await broker.start()
    yield broker
    await broker.kill()


@pytest.mark.mosquitto
@pytest.mark.parametrize(("login", "needle"), [("worker:wrong@", "user 'worker': wrong"), ("", "without user name")])
async def test_a_wrong_password_is_named(guarded: Mosquitto, login: str, needle: str) -> None:
    address = BrokerAddress.parse(f"mqtt://{login}127.0.0.1:{guarded.address.port}")
    reason = await reason_of(address)
    assert needle in reason
    assert "wrong user name or password" in reason
    assert "wrong@" not in reason


@pytest.mark.mosquitto
async def test_the_right_password_connects(guarded: Mosquitto) -> None:
    session = Session(BrokerAddress.parse(f"mqtt://worker:right@127.0.0.1:{guarded.address.port}"), client_id="program")
    async with running(session):
        assert session.state.reason == ""


async def test_a_half_open_connection_is_found_by_keep_alive(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address, keep_alive_s=1)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        await proxy.become(Mode.SWALLOW)
        await until(lambda: not collector.session.connected)
        assert "silent" in collector.session.state.reason
        await proxy.become(Mode.PASS)
        await publisher.publish_all([("m/a", b"still there")])
        await until(lambda: collector.payloads == [b"still there"])


async def test_a_living_connection_without_traffic_stays(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address, keep_alive_s=1)
    async with running(collector.session):
        quiet = proxy.up
        await until(lambda: proxy.up >= quiet + 8 * 2)  # eight pings: several times the keep-alive
    assert [state[0] for state in collector.states] == [True, False]


async def test_a_paused_session_stays_connected_and_goes_on_where_it_was(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address, keep_alive_s=1)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        collector.session.pause()
        await publisher.publish_all([("m/a", b"%d" % index) for index in range(3_000)])
        quiet = proxy.up
        await until(lambda: proxy.up >= quiet + 8 * 2)
        assert collector.payloads == []
        assert collector.session.connected
        collector.session.resume()
        await until(lambda: len(collector.payloads) == 3_000)
    assert collector.payloads == [b"%d" % index for index in range(3_000)]
    assert {burst.epoch for burst in collector.bursts} == {1}


async def test_a_pause_survives_a_reconnection(broker: Broker, proxy: Proxy) -> None:
    collector = Subscriber(proxy.address)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        collector.session.pause()
        await publisher.publish_all([("m/a", b"1")])
        seen = len(collector.states)
        # a paused reader sees no end of the connection; the next ping or acknowledgement does
        proxy.cut()
        collector.session.publish("m/b", b"2")
        collector.session.resume()
        await until(lambda: len(collector.states) >= seen + 2 and collector.session.connected)
        await until(lambda: set(collector.payloads) == {b"1", b"2"})


@pytest.mark.parametrize("after", [1, 3, 20, 5_000, 199_000])
async def test_a_reset_inside_a_packet_loses_nothing(broker: Broker, proxy: Proxy, after: int) -> None:
    collector = Subscriber(proxy.address)
    publisher = Session(broker.address, client_id="publisher")
    big = bytes(range(200)) * 1_000
    async with running(collector.session, publisher):
        proxy.reset_after(after)
        await publisher.publish_all([("m/a", big)])
        await until(lambda: collector.payloads)
    assert collector.payloads == [big]
    assert collector.bursts[0].epoch > 1


async def test_a_broker_of_one_byte_a_time_is_understood(broker: Broker, proxy: Proxy) -> None:
    await proxy.become(Mode.TRICKLE)
    collector = Subscriber(proxy.address)
    publisher = Session(broker.address, client_id="publisher")
    async with running(collector.session, publisher):
        await publisher.publish_all([("m/a", b"%d" % index) for index in range(200)])
        await until(lambda: len(collector.payloads) == 200)
    assert collector.payloads == [b"%d" % index for index in range(200)]


@pytest.mark.mosquitto
async def test_a_refused_subscription_is_told() -> None:
    def suback(packet_id: bytes) -> bytes:
        return b"\x90\x04" + packet_id + b"\x00\x87"

    async with listening(b"\x20\x03\x00\x00\x00" + suback(b"\xff\x00")) as address:
        session = Session(address, client_id="program", subscriptions=["secret/#"])
        async with running(session):
            assert "subscription 'secret/#'" in session.state.reason
            assert "authorise" in session.state.reason


@pytest.mark.mosquitto
async def test_a_broker_that_does_not_promise_to_deliver_is_named(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "max_qos 0")
    await broker.start()
    try:
        session = Session(broker.address, client_id="program", subscriptions=["m/#"])
        async with running(session):
            assert "'m/#': the broker grants QoS 0 alone" in session.state.reason
            session.publish("m/a", b"")
            await until(lambda: "QoS 1" in session.state.reason)
    finally:
        await broker.kill()


async def test_a_broker_that_is_away_at_first_is_found_when_it_comes(tmp_path: Path) -> None:
    port = free_port()
    session = Session(BrokerAddress("127.0.0.1", port), client_id="program")
    async with running(session, connected=False):
        await until(lambda: "refused" in session.state.reason)
        async with Embedded(tmp_path, port=port):
            await session.wait_connected()


async def test_stop_ends_a_session_that_is_dialling() -> None:
    async with listening(None) as address:
        session = Session(address, client_id="program", connect_timeout_s=600)
        async with running(session, connected=False):
            await asyncio.sleep(0)
