"""All machines of a registry towards a broker: weeks of history first, newest week first, and life at once."""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from bus.client import BrokerAddress, Burst, OutboxFull, Session, SessionClosed
from fleet import registry
from fleet.clock import now_ms
from simulators.device import Device
from simulators.flow import Flow
from simulators.history import WEEK_MS, arrays, past, weeks_back
from simulators.keeping import Keeping
from simulators.live import Live
from simulators.plant import connected, plants_of
from simulators.resend import ResendBuffer
from simulators.strays import Strays
from simulators.timeline import Timeline, counting_since
from simulators.truth import TruthFile

log = structlog.get_logger()
_TOGETHER: Final = 16  # machines of one round trip to the broker
_STEP_S: Final = 0.25  # longest sleep, so that a clock that is set does not stop the machines


class Progress(Protocol):
    """Told how far the history is."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """``done`` of ``total`` weeks of machines are published."""


@dataclasses.dataclass(frozen=True)
class SimulateConfig:
    """What to simulate.

    Attributes:
        seed: same seed and registry, same machines.
        speed: machines live so many times faster than the clock; their readings carry the clock's time.
        truth: file for the ground truth, CSV (see ``simulators.truth``); begun anew.
        for_seconds: ends by itself after that long; None runs until stopped.
        history_weeks: weeks of the past to publish, ending now.
        history_every: seconds between two readings of one state there; a machine whose ``every`` in the registry is
            shorter keeps to its own.
        live_every: shortest and longest seconds between two live readings of a machine.
        imperfect: dropouts, wrong clocks, repeats, a device that sends ``NaN``, two devices that nobody claimed.
        collector_s: how long the history waits for somebody who keeps it; a broker drops what nobody asked for.
        progress: told how far the history is.
    """

    broker: BrokerAddress
    fleet_dir: Path
    seed: int = 1
    speed: float = 1.0
    truth: Path | None = None
    for_seconds: float | None = None
    history_weeks: int = 0
    history_every: float = 900.0
    live_every: tuple[float, float] = (5.0, 10.0)
    imperfect: bool = True
    collector_s: float = 10.0
    progress: Progress | None = None


@dataclasses.dataclass
class Simulated:
    """What was published, and what a broker that was away made devices lose.

    What carries its own time is kept and sent again (``resent_messages``) as :class:`simulators.keeping.Keeping` says;
    the rest is sent once.
    """

    machines: int = 0
    history_readings: int = 0
    history_messages: int = 0
    live_messages: int = 0
    lost_messages: int = 0
    resent_messages: int = 0


async def run(config: SimulateConfig, *, stop: asyncio.Event) -> Simulated:
    """Simulate until ``stop`` or ``for_seconds``.

    Raises:
        fleet.registry.RegistryMissing: the folder holds no network.
        OSError: the truth file cannot be written.
    """
    simulation = _Simulation(config)
    closing = asyncio.Event()
    session = asyncio.create_task(simulation.session.run(closing))
    parts = (simulation.live(), simulation.history(), simulation.keeping.run())
    work = [asyncio.create_task(part) for part in parts]
    ended = asyncio.create_task(_ended(stop, config.for_seconds))
    try:
        await _first_to_end(ended, session, work)
    finally:
        ended.cancel()
        for task in work:
            task.cancel()
        await asyncio.wait({ended, *work})
        simulation.finish()
        closing.set()
        await asyncio.wait({session})
    for task in (session, *work):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return simulation.counts


async def _ended(stop: asyncio.Event, for_seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), for_seconds)


async def _first_to_end(
    ended: asyncio.Task[None], session: asyncio.Task[None], work: Sequence[asyncio.Task[None]]
) -> None:
    """Return at the regular end, or when a part failed; the history may end before."""
    waiting: set[asyncio.Task[None]] = {ended, session, *work}
    while not ended.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if session in done or any(task.exception() for task in done):
            return


class _Simulation:
    def __init__(self, config: SimulateConfig) -> None:
        self.config = config
        self.counts = Simulated()
        self.joined_ms = now_ms()
        self.start_ms = self.joined_ms - config.history_weeks * WEEK_MS
        known = registry.load(config.fleet_dir)
        plants = connected(plants_of(config.seed, known), config.seed, self.joined_ms, imperfect=config.imperfect)
        origin = counting_since(datetime.fromtimestamp(self.joined_ms / 1000, UTC).date(), config.history_weeks)
        self.counts.machines = len(plants)
        self._devices = [Device(plant, Timeline(plant, origin), self.joined_ms, config.speed) for plant in plants]
        self._truth = TruthFile(config.truth) if config.truth else None
        every_ms = (round(config.live_every[0] * 1000), round(config.live_every[1] * 1000))
        self._live = Live(self._devices, self.joined_ms, every_ms, self._truth.add if self._truth else None)
        strays = list(known.members) if config.imperfect else []
        self._strays = Strays(strays, self.joined_ms, ZoneInfo(known.network.timezone))
        self._flow = Flow()
        self._resendable = frozenset[str]().union(*(device.resendable for device in self._devices))
        self.keeping = Keeping(ResendBuffer())
        self.session = Session(
            config.broker,
            client_id=f"resilian-simulators-{os.getpid()}-{self.joined_ms % 100_000}",
            subscriptions=(Flow.TOPIC,),
            on_burst=self._heard,
            on_state=self.keeping.on_state,
            session_expiry_s=0,
        )
        self.keeping.session = self.session

    def _heard(self, burst: Burst) -> None:
        self._flow.hear(burst)
        self.session.acknowledge(burst)

    async def live(self) -> None:
        """Devices speak when it is their time."""
        while True:
            now = now_ms()
            for topic, payload in (*self._live.speak(now), *self._strays.speak(now)):
                self._send(topic, payload)
            if self._truth:
                self._truth.flush()
            wait_s = (min(self._live.next_ms, self._strays.next_ms) - now_ms()) / 1000
            await asyncio.sleep(min(max(wait_s, 0.0), _STEP_S))

    def _send(self, topic: str, payload: bytes) -> None:
        try:
            (self.keeping if topic in self._resendable else self.session).publish(topic, payload)
            self._flow.sent(1)
            self.counts.live_messages += 1
        except OutboxFull:
            self.counts.lost_messages += 1

    async def history(self) -> None:
        """The past, week by week from the newest, machine by machine."""
        weeks = list(weeks_back(self.start_ms, self.joined_ms))
        if weeks:
            await self._flow.collector(self.config.collector_s)
        total, done = len(weeks) * len(self._devices), 0
        for start_ms, end_ms in weeks:
            for first in range(0, len(self._devices), _TOGETHER):
                group = self._devices[first : first + _TOGETHER]
                await self._publish_past(group, start_ms, end_ms)
                done += len(group)
                self._tell(done, total)
        if total:
            log.info("history published", readings=self.counts.history_readings, machines=self.counts.machines)

    async def _publish_past(self, devices: Sequence[Device], start_ms: int, end_ms: int) -> None:
        messages: list[tuple[str, bytes]] = []
        for device in devices:
            topic, rows = self._past(device, start_ms, end_ms)
            messages += [(topic, payload) for payload in arrays(rows)]
            self.counts.history_readings += len(rows)
            await asyncio.sleep(0)  # the first week takes milliseconds a machine: let the others live
        await self._flow.room()
        with contextlib.suppress(SessionClosed):
            await self.session.publish_all(messages)
        self._flow.sent(len(messages))
        self.counts.history_messages += len(messages)

    def _past(self, device: Device, start_ms: int, end_ms: int) -> tuple[str, list[str]]:
        plant = device.plant
        every_ms = round(1000 * min(self.config.history_every, plant.every_s))
        if self._truth:
            self._truth.add_all(plant.key, device.timeline.intervals(start_ms, end_ms))
        return past(plant, device.timeline, start_ms, end_ms, every_ms)

    def _tell(self, done: int, total: int) -> None:
        if self.config.progress is not None:
            self.config.progress(done, total, "")

    def finish(self) -> None:
        """Close what is open."""
        self._live.finish(now_ms())
        self.counts.lost_messages += self.keeping.buffer.lost
        self.counts.resent_messages = self.keeping.resent
        if self._truth:
            self._truth.close()
