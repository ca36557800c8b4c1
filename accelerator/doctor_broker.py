"""The broker's part of the path: reachable, TLS, credentials, rights judged by delivery; for us and for a device."""

import asyncio
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from accelerator.doctor_machine import Step
from bus.client import BrokerAddress, Burst, Session
from bus.reasons import failure

_PATIENCE_S: Final = 8.0
_TOLD: Final = ("net/v1/health/#", "net/v1/rejects/#", "net/v1/unclaimed/#", "net/v1/command/#")
"""Asked for apart: of what is retained, the embedded broker gives at most 100 messages a subscription."""
_TRUST: Final = {
    10: "put a certificate that has not expired on the broker, and correct the clock here if it is wrong",
    62: "connect by the name that the broker's certificate carries, or give it a certificate of this name",
    64: "connect by the name that the broker's certificate carries, or give it a certificate of this address",
}
_CA: Final = "name the authority that signed the broker's certificate: mqtts://...?ca=FILE"


@dataclass
class Heard:
    """What the broker delivered: newest payload of each retained topic."""

    reached: bool
    reason: str
    retained: dict[str, Any]
    connected: bool = False


async def walk(address: BrokerAddress, whose: str = "") -> tuple[list[Step], Heard]:
    """Reachable, TLS, credentials, delivery, up to the first that is broken."""
    heard = Heard(False, "", {})
    steps = await door(address, whose)
    if steps[-1].status == "wrong":
        return steps, heard
    heard = await listen_once(address)
    if not heard.connected:
        return [*steps, _credentials(heard.reason)], heard
    steps.append(Step("credentials", "ok", f"accepted as {address.user or 'a client without login'}"))
    if not heard.reached:
        return [*steps, Step("ACL", "wrong", heard.reason, "give the command the login `operator`")], heard
    return [*steps, Step("ACL", "ok", "what we publish is delivered")], heard


def _credentials(reason: str, setting: str = "RESILIAN_BROKER") -> Step:
    if "another client" in reason:
        todo = f"give each its own login: one login is one connection, and that of {setting} is in use"
        return Step("credentials", "wrong", reason, todo)
    anew = "`resilian device remove`, then `resilian device add`" if setting == "the device" else "`deploy/secrets`"
    return Step(
        "credentials", "wrong", reason, f"correct user and password in {setting}, or make the login anew: {anew}"
    )


async def door(address: BrokerAddress, whose: str = "") -> list[Step]:
    """Whether the broker can be reached, and its certificate trusted."""
    name, shown = f"{whose}broker", str(address)
    todo = f"start the broker, or correct host and port of {'the device' if whose else 'RESILIAN_BROKER'}"
    if error := await _refusal(replace(address, tls=False)):
        return [Step(name, "wrong", f"{shown}: {failure(error, address)}", todo)]
    steps = [Step(name, "ok", f"{shown} accepts connections")]
    if address.tls:
        error = await _refusal(address)
        code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
        todo = _TRUST.get(code, _CA if code else "connect to the broker's TLS port, 8883 as a rule")
        steps.append(
            Step(f"{whose}TLS", "wrong", failure(error, address), todo)
            if error
            else Step(f"{whose}TLS", "ok", "the broker's certificate is trusted")
        )
    return steps


async def _refusal(address: BrokerAddress) -> OSError | None:
    """What a connection fails with, if it does."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=address.ssl_context())
            writer.close()
    except OSError as error:
        return error
    return None


async def listen_once(
    address: BrokerAddress, topics: tuple[str, ...] = _TOLD, patience_s: float = _PATIENCE_S
) -> Heard:
    """What the programs' messages say that the broker retains: all once a message of our own came back (delivery, not
    SUBACK).
    """
    heard = Heard(False, "no answer", {})
    probe, came_back = f"net/v1/command/doctor-{os.getpid()}", asyncio.Event()

    def take(burst: Burst) -> None:
        for delivery in burst.deliveries:
            if delivery.topic == probe:
                came_back.set()
            elif delivery.payload:
                heard.retained[delivery.topic] = _json(delivery.payload)
        session.acknowledge(burst)

    session = _session(address, topics, take)
    stop = asyncio.Event()
    running = asyncio.create_task(session.run(stop))
    try:
        async with asyncio.timeout(patience_s):
            await session.wait_connected()
            heard.connected = True
            session.publish(probe, b"{}")
            heard.reason = "the login may not read net/v1/# (nothing is delivered): give the programs their own login"
            await came_back.wait()
            heard.reached = True
    except TimeoutError:
        if not session.connected:
            heard.reason, heard.connected = session.state.reason, False
    finally:
        stop.set()
        await running
    return heard


async def device_steps(device: BrokerAddress, own: BrokerAddress, topic: str) -> list[Step]:
    """The path as a device walks it, with its own login: an empty message, which means nothing, must be delivered.

    It ends the device's own connection for that time, since a login is one connection.
    """
    steps = await door(device, "device's ")
    if steps[-1].status == "wrong":
        return steps
    login = device.user or "the name in the certificate"
    arrived, sent = asyncio.Event(), topic.replace("#", "doctor").replace("+", "doctor")

    def take(burst: Burst) -> None:
        arrived.set()
        ours.acknowledge(burst)

    ours, theirs = _session(own, (sent,), take), _session(device, (), None, "-device")
    stop = asyncio.Event()
    running = [asyncio.create_task(session.run(stop)) for session in (ours, theirs)]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await ours.wait_connected()
            await theirs.wait_connected()
            theirs.publish(sent, b"")
            await arrived.wait()
    except TimeoutError:
        if not theirs.connected:
            found = _credentials(theirs.state.reason, "the device")
            return [*steps, replace(found, name="device's credentials")]
        todo = f"the device's login must be <member>.<device> of this member, and its topic {topic}"
        detail = f"{login} may not publish to {sent}: nothing is delivered, whatever the broker acknowledged"
        return [*steps, Step("device's ACL", "wrong", detail, todo)]
    finally:
        stop.set()
        await asyncio.gather(*running)
    return [*steps, Step("device's login", "ok", f"what {login} publishes to {sent} is delivered")]


def _session(
    address: BrokerAddress, topics: tuple[str, ...], take: Callable[[Burst], None] | None, suffix: str = ""
) -> Session:
    name = f"resilian-doctor-{os.getpid()}{suffix}"
    return Session(address, client_id=name, subscriptions=topics, on_burst=take, session_expiry_s=0)


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None
