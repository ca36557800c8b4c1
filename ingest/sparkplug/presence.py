"""That a host application is there: the retained STATE messages that edge nodes wait for before they send.

Sparkplug 3.0: ``spBv1.0/STATE/<host id>`` with ``{"online": true, "timestamp": epoch ms}``; 2.2: ``STATE/<host id>``
with ``ONLINE``. The will says the contrary, in 3.0 with the timestamp of its birth, so each connection is a session of
its own; the collector's session has the collector's will.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from bus.client import BrokerAddress, Burst, Session, Will
from fleet.clock import now_ms

_log = structlog.get_logger(__name__)
_PAUSE_S: Final = 1.0
"""Between two connections; a broker that is away is tried ever more rarely by the session itself."""


class Dialect(NamedTuple):
    """One version's STATE message; ``payload(online, at_ms)``."""

    version: str
    topic: str
    payload: Callable[[bool, int], bytes]


DIALECTS: Final = (
    Dialect("3", "spBv1.0/STATE/{}", lambda online, at_ms: json.dumps({"online": online, "timestamp": at_ms}).encode()),
    Dialect("2", "STATE/{}", lambda online, _: b"ONLINE" if online else b"OFFLINE"),
)


async def keep_present(broker: BrokerAddress, host_id: str, dialect: Dialect, stop: asyncio.Event) -> None:
    """Say that the host is there until ``stop`` is set, then that it is not. Never raises for a broker that is away."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            await _Presence(broker, host_id, dialect).run(stopping)
            await asyncio.wait({stopping}, timeout=_PAUSE_S)
    finally:
        stopping.cancel()


class _Presence:
    """One connection: will, birth, and the birth again when somebody says that this host is gone."""

    def __init__(self, broker: BrokerAddress, host_id: str, dialect: Dialect) -> None:
        at_ms = now_ms()
        self._topic = dialect.topic.format(host_id)
        self._birth, self._death = dialect.payload(True, at_ms), dialect.payload(False, at_ms)
        self._was_connected = False
        self._ended = asyncio.Event()
        self._session = Session(
            broker, client_id=f"{host_id}-state-{dialect.version}", subscriptions=(self._topic,),
            on_burst=self._on_burst, on_state=self._on_state, will=Will(self._topic, self._death, retain=True),
            session_expiry_s=0,
        )  # fmt: skip

    async def run(self, stopping: "asyncio.Task[bool]") -> None:
        """Until the connection is lost or ``stopping`` is done."""
        running = asyncio.create_task(self._session.run(self._ended))
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._ended.set()
            await running
        finally:
            running.cancel()

    def _on_state(self, connected: bool, session_present: bool, reason: str) -> None:
        del session_present
        if connected:
            self._was_connected = True
            self._say()
        elif self._was_connected:
            self._ended.set()  # the next connection has a will of its own time
        if connected and reason:
            _log.warning("the host's state for Sparkplug nodes", topic=self._topic, reason=reason)

    def _on_burst(self, burst: Burst) -> None:
        for delivery in burst.deliveries:
            if bytes(delivery.payload) != self._birth:
                self._say()
        self._session.acknowledge(burst)

    def _say(self) -> None:
        self._session.publish(self._topic, self._birth, retain=True)
