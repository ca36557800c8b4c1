"""Listening, one message, one question; and what programs say of their health."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from bus.client import BrokerAddress, Session
from bus.comfort import BrokerUnreachable, Message, listen, publish_once, request
from bus.health import HealthReport, health_message, health_will
from tests.bus.brokers import Embedded, Mosquitto, running, until
from tests.servers import free_port

Broker = Mosquitto | Embedded


class Listener:
    """What :func:`bus.comfort.listen` yields, and the states it tells."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.states: list[tuple[bool, str]] = []

    @asynccontextmanager
    async def on(self, address: BrokerAddress, *topics: str) -> AsyncIterator[None]:
        task = asyncio.create_task(self._hear(address, topics))
        yield
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _hear(self, address: BrokerAddress, topics: tuple[str, ...]) -> None:
        stream = listen(address, topics, on_state=lambda *state: self.states.append(state))
        async with aclosing(stream):  # type: ignore[type-var]  # an async generator behind its abstract type
            async for message in stream:
                self.messages.append(message)


async def test_retained_and_live_messages_are_heard(broker: Broker) -> None:
    await publish_once(broker.address, "net/v1/findings/a/b/c", b"kept", retain=True)
    heard = Listener()
    async with heard.on(broker.address, "net/v1/#", "other"):
        await until(lambda: heard.messages)
        await publish_once(broker.address, "other", b"live")
        await publish_once(broker.address, "not/asked", b"")
        await publish_once(broker.address, "other", b"end")
        await until(lambda: len(heard.messages) >= 3)
    assert heard.messages == [
        Message("net/v1/findings/a/b/c", b"kept", True),
        Message("other", b"live", False),
        Message("other", b"end", False),
    ]


async def test_a_thousand_retained_messages_come_whole(broker: Broker) -> None:
    publisher = Session(broker.address, client_id="publisher")
    async with running(publisher):
        await publisher.publish_all([(f"net/v1/findings/a/b/{index}", b"x") for index in range(1_000)], retain=True)
    heard = Listener()
    async with heard.on(broker.address, "net/v1/#"):
        await until(lambda: len(heard.messages) == 1_000)


async def test_a_listener_reconnects_by_itself(broker: Broker) -> None:
    heard = Listener()
    async with heard.on(broker.address, "net/#"):
        await until(lambda: heard.states == [(True, "")])
        await broker.restart()
        await until(lambda: heard.states[-1] == (True, "") and len(heard.states) >= 3)
        await publish_once(broker.address, "net/a", b"again")
        await until(lambda: [one.payload for one in heard.messages] == [b"again"])
    assert all(str(broker.address.port) in reason for connected, reason in heard.states if not connected)


async def test_a_question_gets_its_answer(broker: Broker) -> None:
    async def answer() -> None:
        stream = listen(broker.address, ["net/v1/command/ingest"])
        async for message in stream:
            if message.payload == b"question":
                await publish_once(broker.address, "net/v1/health/ingest", b"noise")
                await publish_once(broker.address, "net/v1/health/ingest", b"answer")

    task = asyncio.create_task(answer())
    got = None
    for _ in range(50):  # until the one who answers has subscribed
        try:
            got = await request(
                broker.address,
                "net/v1/command/ingest",
                b"question",
                answer="net/v1/health/+",
                accept=lambda message: message.payload == b"answer",
                timeout_s=1.0,
            )
            break
        except BrokerUnreachable as error:
            assert "no answer on net/v1/health/+ within 1 s" in str(error)  # noqa: PT017  # the broker is there
    task.cancel()
    await asyncio.wait({task})
    assert got == Message("net/v1/health/ingest", b"answer", False)


async def test_why_a_message_could_not_go_out_is_said() -> None:
    port = free_port()
    with pytest.raises(BrokerUnreachable, match=rf"connection refused\) \(127.0.0.1:{port}\)"):
        await publish_once(BrokerAddress("127.0.0.1", port), "a", b"")
    with pytest.raises(BrokerUnreachable, match=r"'no-such-host\.invalid' cannot be resolved"):
        await request(BrokerAddress("no-such-host.invalid", 1883), "a", b"", answer="b")


async def test_health_is_published_at_start_on_change_at_intervals_and_at_the_end(broker: Broker) -> None:
    heard = Listener()
    store = {"ok": True}
    session = Session(broker.address, client_id="ingest", will=health_will("ingest"))
    report = HealthReport(
        "ingest",
        session,
        lambda: health_message("ingest", session, registry_digest="0123", more={"store": dict(store)}),
    )

    def bodies() -> list[dict[str, object]]:
        return [json.loads(one.payload) for one in heard.messages]

    async with heard.on(broker.address, "net/v1/health/#"):
        await until(lambda: heard.states)
        async with running(session):
            report.start()
            await until(lambda: len(bodies()) == 1)
            report.changed()
            store["ok"] = False
            report.changed()
            await until(lambda: len(bodies()) == 2)
            report.stop()
        await until(lambda: len(bodies()) == 3)
    first, second, last = bodies()
    assert first["program"] == "ingest"
    assert first["alive"] is True
    assert first["registry_digest"] == "0123"
    assert isinstance(first["broker"], dict)
    assert (first["broker"]["connected"], first["broker"]["session_losses"]) == (True, 0)
    assert (first["store"], second["store"]) == ({"ok": True}, {"ok": False})
    assert last == {"program": "ingest", "alive": False}


async def test_health_is_repeated(broker_here: Embedded) -> None:
    heard = Listener()
    session = Session(broker_here.address, client_id="ingest")
    report = HealthReport("ingest", session, lambda: health_message("ingest", session), every_s=0.01)
    async with heard.on(broker_here.address, "net/v1/health/ingest"), running(session):
        report.start()
        await until(lambda: len(heard.messages) >= 3)
        report.stop()
