"""What the collector says of itself, for those who publish much: how far it is, and when the store has it all.

A broker that has acknowledged a message may still drop it when the collector's queue overflows, so a publisher of
weeks of readings keeps at most a window of messages ahead of the collector. Without a collector there is nobody to wait
for.
"""

import asyncio
import json
import time
from typing import Any, Final

import structlog

from bus.client import Burst
from fleet.topics import HEALTH, TOUCHED

log = structlog.get_logger()
WINDOW: Final = 800
"""Messages of up to 16 kB ahead of the collector; Mosquitto by default keeps 1,000 for a client."""
_SILENT_S: Final = 15.0  # a collector that said nothing for so long is not waited for
_LOST_S: Final = 30.0
_GONE_S: Final = 60.0
_SETTLED: Final = 3  # healths in a row


class Flow:
    """Follows ``net/v1/health/ingest`` and ``net/v1/touched/#``; feed it with the bursts of a session."""

    TOPIC: Final = HEALTH.format(program="ingest")
    TOUCHED: Final = TOUCHED.format(member="+")

    def __init__(self) -> None:
        self.health: dict[str, Any] = {}
        self._heard_at = 0.0
        self._base: int | None = None
        self._sent = 0
        self._settled = 0
        self._goal: int | None = None
        self._waiting: dict[tuple[str, str], int] = {}
        self._news = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether a collector has said lately that it lives."""
        return bool(self.health.get("alive")) and time.monotonic() - self._heard_at < _SILENT_S

    def hear(self, burst: Burst) -> None:
        """Take in the messages of a burst; what is not of the collector is passed over."""
        for delivery in burst.deliveries:
            try:
                body = json.loads(delivery.payload or b"null")
            except ValueError:
                continue
            if isinstance(body, dict):
                self._take(delivery.topic, body)
        self._news.set()

    def _take(self, topic: str, body: dict[str, Any]) -> None:
        if topic == self.TOPIC:
            received = _number(body, "received")
            if self._base is None or received < _number(self.health, "received"):  # it began anew
                self._base, self._sent = received, 0
            self.health = body
            self._heard_at = time.monotonic()
            self._settle(body)
        elif isinstance(machines := body.get("machines"), dict):
            member = topic.rsplit("/", 1)[-1]
            for machine, touched in machines.items():
                self._touch((member, machine), touched)

    def _touch(self, key: tuple[str, str], touched: Any) -> None:
        wanted = self._waiting.get(key)
        if wanted is None or not isinstance(touched, dict):
            return
        self._goal, self._settled = None, 0  # it still moves
        if wanted // 3_600_000 * 3600 in (touched.get("hours") or ()) and _number(touched, "at") >= wanted:
            del self._waiting[key]

    def _settle(self, health: dict[str, Any]) -> None:
        """Count the healths after which the store has all that the spool held when everything had been received."""
        stored, waiting = _number(health, "stored"), _number(health, "spool_readings")
        if self.ahead > 0:
            self._goal, self._settled = None, 0
        elif self._goal is None:
            self._goal = stored + waiting
        elif stored >= self._goal or waiting == 0:
            self._settled += 1

    @property
    def ahead(self) -> int:
        """How many messages of ours the collector has not received yet, at most."""
        return self._sent - (_number(self.health, "received") - (self._base or 0))

    def sent(self, messages: int) -> None:
        """Count messages that the broker has taken."""
        self._sent += messages
        self._goal, self._settled = None, 0

    def expect(self, key: tuple[str, str], at_ms: int) -> None:
        """The newest reading of this machine will have been at ``at_ms``."""
        self._waiting[key] = max(at_ms, self._waiting.get(key, at_ms))

    async def collector(self, patience_s: float, digest: str | None = None) -> bool:
        """Return whether a collector lives, and works by the registry of that digest, as soon as it does.

        False after ``patience_s``.
        """
        until = time.monotonic() + patience_s
        while not (self.alive and digest in (None, self.health.get("registry_digest"))):
            if time.monotonic() > until:
                return False
            await self.news()
        return True

    async def room(self) -> None:
        """Return when a further message keeps within the window, or when no collector lives.

        A collector that receives other messages but gets no nearer for a while was never given what lies between: the
        broker dropped it, and nobody may wait for it.
        """
        nearest, received, since = self.ahead, _number(self.health, "received"), time.monotonic()
        while self.alive and self.ahead > WINDOW:
            await self.news()
            if self.ahead < nearest:
                nearest, received, since = self.ahead, _number(self.health, "received"), time.monotonic()
            elif time.monotonic() - since > _LOST_S and _number(self.health, "received") > received:
                log.warning("messages never reached the collector: the broker dropped them", at_most=self.ahead)
                self._base, self._sent = _number(self.health, "received"), 0

    async def stored(self) -> bool:
        """Return when the store has the newest expected reading of every machine, and so all before it.

        False when the collector has been gone for a minute meanwhile. A machine whose newest reading was rejected is
        never announced: then it must do that everything was received, what the spool held then is stored, and nothing
        of ours moves any more.
        """
        while self._waiting and self._settled < _SETTLED:
            await self.news()
            if time.monotonic() - self._heard_at > _GONE_S:
                return False
        return True

    async def news(self) -> None:
        """Return at the next burst, or after a second without one."""
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), 1.0)
        except TimeoutError:
            return


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
