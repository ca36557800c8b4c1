"""MQTT for programs with little traffic: an iterator that listens, one message out, one question and its answer.

On aiomqtt: a task and a few futures a message, no session at the broker, no acknowledgement by hand. What must not be
lost goes through :mod:`bus.client`.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

import aiomqtt

from bus.address import BrokerAddress
from bus.backoff import Backoff
from bus.reasons import failure, located

MAX_WAITING: Final = 100_000
"""Messages that a slow listener may leave lying; newer ones are then dropped, with a warning in the log."""


class BrokerUnreachable(Exception):
    """The message could not be brought to the broker, or no answer came in time; try again later."""


class Message(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    retain: bool


async def listen(
    address: BrokerAddress,
    topics: Sequence[str],
    *,
    client_id: str | None = None,
    qos: int = 0,
    keep_alive_s: int = 20,
    on_state: Callable[[bool, str], None] | None = None,
) -> AsyncIterator[Message]:
    """Yield what is published on ``topics``, for ever; reconnects by itself with backoff and full jitter.

    Messages published while disconnected are missed; each new connection brings the retained ones again. QoS 0 by
    default, as the embedded broker gives a new QoS 1 subscription no more than 100 retained messages.

    Args:
        on_state: called with (connected and subscribed, reason in one sentence or "") on each change.
    """
    backoff, told = Backoff(), (False, "")
    while True:
        try:
            async with _client(address, client_id, keep_alive_s) as client:
                await client.subscribe([(topic, qos) for topic in topics])
                _heed_cancellation()
                backoff.succeeded()
                told = _tell(on_state, told, (True, ""))
                async for message in client.messages:
                    yield Message(str(message.topic), _payload(message), message.retain)
        except (aiomqtt.MqttError, OSError) as error:
            told = _tell(on_state, told, (False, _sentence(error, address)))
        _heed_cancellation()
        await asyncio.sleep(backoff.failed())


async def publish_once(
    address: BrokerAddress, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 10.0
) -> None:
    """Connect, publish one message with QoS 1, and return when the broker has acknowledged it.

    Raises:
        BrokerUnreachable: in one sentence why not.
    """
    try:
        async with asyncio.timeout(timeout_s), _client(address, None, 20) as client:
            await client.publish(topic, payload, qos=1, retain=retain)
    except (aiomqtt.MqttError, OSError) as error:
        _heed_cancellation()
        raise BrokerUnreachable(_sentence(error, address)) from None
    _heed_cancellation()


async def request(
    address: BrokerAddress,
    topic: str,
    payload: bytes,
    *,
    answer: str,
    accept: Callable[[Message], bool] = lambda _: True,
    timeout_s: float = 10.0,
) -> Message:
    """Publish one message and return the first one on the topic filter ``answer`` that ``accept`` takes.

    Raises:
        BrokerUnreachable: in one sentence why not; also when no such answer came within ``timeout_s``.
    """
    connected = False
    got: Message | None = None
    try:
        async with asyncio.timeout(timeout_s), _client(address, None, 20) as client:
            await client.subscribe(answer, qos=1)
            await client.publish(topic, payload, qos=1)
            connected = True
            _heed_cancellation()
            async for message in client.messages:
                candidate = Message(str(message.topic), _payload(message), message.retain)
                if accept(candidate):
                    got = candidate
                    break
    except (aiomqtt.MqttError, OSError) as error:
        _heed_cancellation()
        late = isinstance(error, TimeoutError) and connected
        sentence = (
            located(f"no answer on {answer} within {timeout_s:g} s", address) if late else _sentence(error, address)
        )
        raise BrokerUnreachable(sentence) from None
    _heed_cancellation()
    if got is None:
        raise BrokerUnreachable(located("the connection broke", address))
    return got


def _heed_cancellation() -> None:
    """Before Python 3.12 asyncio.wait_for, which aiomqtt uses, can lose a cancellation that comes with its result."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _client(address: BrokerAddress, client_id: str | None, keep_alive_s: int) -> aiomqtt.Client:
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.user,
        password=address.password,
        identifier=client_id or f"resilian-{uuid.uuid4().hex[:12]}",
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        keepalive=keep_alive_s,
        max_queued_incoming_messages=MAX_WAITING,
        tls_context=address.ssl_context(),
    )


def _payload(message: aiomqtt.Message) -> bytes:
    payload = message.payload
    return payload if isinstance(payload, bytes) else str(payload or "").encode()


def _tell(
    on_state: Callable[[bool, str], None] | None, told: tuple[bool, str], now: tuple[bool, str]
) -> tuple[bool, str]:
    if on_state is not None and now != told:
        on_state(*now)
    return now


def _sentence(error: BaseException, address: BrokerAddress) -> str:
    if isinstance(error, aiomqtt.MqttCodeError):
        user = f"user {address.user!r}" if address.user else "a client without user name"
        return located(f"the broker refuses {user}: {error}", address)
    if isinstance(error, aiomqtt.MqttError):
        text = str(error)
        if "Errno" in text:  # it carries the operating system's error as text only
            return failure(OSError(text), address)
        return located("the broker does not answer" if "timed out" in text else "the connection broke", address)
    return failure(error, address)
