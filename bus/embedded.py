"""A broker in a child process, for the demo and for `up` without one: rumqttd, as packed in iotcore.

It keeps everything in memory: when it is restarted, sessions, queues and retained messages are gone, and every session
notices that as a loss. It has no logins, so it listens on 127.0.0.1 only. Further limits of it: 100 messages in flight
a client, at most 100 retained messages for a new subscription with QoS 1, and a subscriber that lags behind by more
than ``QUEUE_BYTES`` on one topic filter misses the oldest messages.
"""

import asyncio
import itertools
import logging
import random
import socket
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

from bus.address import BrokerAddress
from bus.backoff import Backoff
from bus.packets import Hello
from bus.wire import connect_bytes

MAX_MESSAGE_BYTES: Final = 17 * 2**20
"""Of one packet; a client that sends a larger one is disconnected. Above what our own sessions publish (16 MiB)."""
QUEUE_BYTES: Final = 128 * 2**20
"""What the broker remembers of one topic filter: topics and payloads; small ones take several times that in memory."""

_HOST: Final = "127.0.0.1"
_SEGMENT_BYTES: Final = 8 * 2**20
_PROBE_EVERY_S: Final = 5.0
_PROBE_AGAIN_S: Final = 0.2
_PROBE_TIMEOUT_S: Final = 5.0
_PROBES_TO_FAIL: Final = 3
_READY_TIMEOUT_S: Final = 15.0
_ATTEMPTS: Final = 3
_PORTS: Final = range(20_000, 32_000)
_CONNACK: Final = b"\x20"
_CHILD: Final = """
import logging, os, signal, sys, threading
from iotcore.iotcore import IotCoreBroker
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
def parent_gone():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=parent_gone, daemon=True).start()
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""
"""The broker has no way to stop but the end of its process, which comes when our end of its input closes.

Ctrl-C and service managers signal the whole group of processes: the programs that end now still need it.
"""

_log = logging.getLogger(__name__)


class BrokerUnavailable(Exception):
    """The embedded broker did not start."""


class EmbeddedBroker:
    """The broker's process, watched: when it dies or no longer answers, it is started again at the same ports.

    Args:
        data_dir: gets the broker's configuration file.
        port: of MQTT 5; 0 takes a free one.
        port_v4: of MQTT 3.1.1, for devices that speak no MQTT 5; 0 takes a free one.
        on_restart: called with one sentence after each restart; all sessions and retained messages are then gone.
    """

    def __init__(
        self, data_dir: Path, *, port: int = 0, port_v4: int = 0, on_restart: Callable[[str], None] | None = None
    ) -> None:
        self.restarts = 0
        self.on_restart = on_restart
        self._data_dir = data_dir
        self._wanted = (port, port_v4)
        self._probe_id = f"resilian-probe-{uuid.uuid4().hex[:8]}"
        self._ports = (0, 0)
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def address(self) -> BrokerAddress:
        """Where it speaks MQTT 5."""
        return BrokerAddress(_HOST, self._ports[0])

    @property
    def address_v4(self) -> BrokerAddress:
        """Where it speaks MQTT 3.1.1; both share all topics."""
        return BrokerAddress(_HOST, self._ports[1])

    @property
    def pid(self) -> int | None:
        """The process, while it lives."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        """Start.

        Raises:
            BrokerUnavailable: a port is taken or the process ends at once; the message says which.
        """
        attempts = _ATTEMPTS if 0 in self._wanted else 1
        for attempt in range(attempts):
            self._ports = _free_ports(self._wanted)
            try:
                await self._start()
                break
            except BrokerUnavailable:  # another program may have taken a free port before the broker could
                if attempt == attempts - 1:
                    raise
        self._watch = asyncio.create_task(self._watch_over())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self._end()

    async def _start(self) -> None:
        config = self._data_dir / "broker.toml"
        self._data_dir.mkdir(parents=True, exist_ok=True)
        config.write_text(_configuration(*self._ports), encoding="utf-8")
        with (self._data_dir / "broker.log").open("wb") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-c", _CHILD, str(config), stdin=PIPE, stdout=DEVNULL, stderr=log
            )
        exited = asyncio.create_task(process.wait())
        ready = asyncio.create_task(self._answers())
        await asyncio.wait({exited, ready}, timeout=_READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        for task in (exited, ready):
            task.cancel()
        await asyncio.wait({exited, ready})
        if not ready.cancelled() and process.returncode is None:
            return
        code = process.returncode
        await self._end()
        what = "does not answer" if code is None else f"ended at once with code {code}"
        raise BrokerUnavailable(f"the embedded broker at {self.address} {what}")

    async def _answers(self) -> None:
        for _ in itertools.count():
            if await self._probe():
                return
            await asyncio.sleep(0.05)

    async def _probe(self) -> bool:
        """Whether both ports answer a CONNECT.

        An open port proves nothing: a client that is gone before it is answered leaves rumqttd 0.20 with a listener
        that accepts every connection and answers none. It handles the end of a client twice when the client also says
        goodbye, or when another one comes under its name, and the second time may hit whoever connects at that moment.
        So the two probes have two names, and just hang up.
        """
        port, port_v4 = self._ports
        hello_v4 = _connect_v4(f"{self._probe_id}-4")
        hello = Hello(f"{self._probe_id}-5", None, None, None, keep_alive_s=10, session_expiry_s=0, receive_max=1)
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                return await _greets(port, connect_bytes(hello)) and await _greets(port_v4, hello_v4)
        except OSError:
            return False

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()  # nothing to save: it keeps all in memory
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    async def _watch_over(self) -> None:
        while True:
            reason = await self._trouble()
            await self._end()
            _log.error("the embedded broker %s; starting it again", reason)
            await self._start_at_last()
            self.restarts += 1
            if self.on_restart is not None:
                self.on_restart(f"the embedded broker {reason} and was started again; what it held is gone")

    async def _start_at_last(self) -> None:
        backoff = Backoff()
        while True:
            try:
                return await self._start()
            except BrokerUnavailable as error:
                _log.error("%s", error)
                await asyncio.sleep(backoff.failed())

    async def _trouble(self) -> str:
        """Return what is wrong as soon as the process has ended or has failed several probes in a row."""
        process = self._process
        assert process is not None  # noqa: S101  # narrows the type: started before it is watched
        exited = asyncio.create_task(process.wait())
        failed = 0
        try:
            while failed < _PROBES_TO_FAIL:
                done, _ = await asyncio.wait({exited}, timeout=_PROBE_AGAIN_S if failed else _PROBE_EVERY_S)
                if done:
                    return f"ended with code {process.returncode}"
                failed = 0 if await self._probe() else failed + 1
            return "did not answer"
        finally:
            exited.cancel()


async def _greets(port: int, connect: bytes) -> bool:
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        writer.write(connect)
        return await reader.read(1) == _CONNACK
    finally:
        writer.close()


def _connect_v4(client_id: str) -> bytes:
    """A CONNECT packet of MQTT 3.1.1 with a clean session and a keep-alive of 10 s."""
    body = b"\x00\x04MQTT\x04\x02\x00\x0a" + len(client_id).to_bytes(2, "big") + client_id.encode()
    return b"\x10" + bytes([len(body)]) + body


def _free_ports(wanted: tuple[int, int]) -> tuple[int, int]:
    """The wanted ports, each 0 replaced by a free one.

    Chosen by chance from a range that no system uses for outgoing connections: those could take the port meanwhile.
    """
    with ExitStack() as stack:
        ports = [_bound(stack, port) for port in wanted]
    return ports[0], ports[1]


def _bound(stack: ExitStack, port: int) -> int:
    candidates = [port] if port else random.sample(_PORTS, 100)  # no secret: where to listen
    for candidate in candidates:
        sock = stack.enter_context(socket.socket())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((_HOST, candidate))
        except OSError as error:
            reason = error.strerror
            continue
        return candidate
    raise BrokerUnavailable(f"port {port or 'any'} of {_HOST} is taken: {reason}")


def _configuration(port: int, port_v4: int) -> str:
    listeners = "".join(
        f"""
[{version}.1]
name = "{version}"
listen = "{_HOST}:{number}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 10000
max_payload_size = {MAX_MESSAGE_BYTES}
max_inflight_count = 10000
dynamic_filters = true
"""
        for version, number in (("v5", port), ("v4", port_v4))
    )
    return f"""id = 0
[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 20000
max_segment_size = {_SEGMENT_BYTES}
max_segment_count = {QUEUE_BYTES // _SEGMENT_BYTES}
{listeners}"""
