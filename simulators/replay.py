"""A recording through the broker, under its own times or moved so that it ends now."""

import asyncio
import heapq
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.client import BrokerAddress, Burst, Session, SessionClosed
from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.clock import now_ms
from fleet.topics import reading_topic
from simulators.enrol import enrol
from simulators.flow import Flow
from simulators.history import arrays
from simulators.recording import Measured, Name, Recording, RecordingError, read, spans
from simulators.service import Progress
from simulators.union import told, unite

__all__ = ["NobodyListensError", "RecordingError", "ReplayConfig", "Replayed", "run"]

_TOGETHER: Final = 64  # messages of one round trip to the broker


class NobodyListensError(Exception):
    """No collector took the recording; the message says what to start or to check."""


@dataclass(frozen=True)
class ReplayConfig:
    """What to replay.

    Attributes:
        path: intervals file or readings file, CSV (see ``simulators.recording``).
        member: under which machines without a ``member`` column stand; made with unlimited retention when new.
        speed: how many times faster than recorded; None publishes as fast as it is taken, in arrays.
        every: seconds between two readings of one state of an intervals file; the new machines' ``every``.
        ends_now: move all times so that the recording ends now.
        timezone: of times without an offset.
        patience_s: how long to wait for a collector that knows the machines.
        progress: told readings published and their total.
    """

    broker: BrokerAddress
    fleet_dir: Path
    path: Path
    member: str = "replay"
    speed: float | None = None
    every: float = 300.0
    ends_now: bool = False
    timezone: str = "UTC"
    patience_s: float = 30.0
    progress: Progress | None = None


@dataclass
class Replayed:
    """Every row accounted for: ``rows`` = ``used`` + ``united`` + ``empty`` + ``refused``.

    Attributes:
        used: rows that stand as intervals or readings of their own.
        united: rows that became part of another interval, or repeat a reading.
        empty: intervals that end where they begin.
        refused: rows that break a rule, ``reasons`` the first of them.
        readings, messages: published.
        stored: the collector has put everything into the store.
    """

    rows: int = 0
    used: int = 0
    united: int = 0
    empty: int = 0
    refused: int = 0
    machines: int = 0
    machines_added: int = 0
    readings: int = 0
    messages: int = 0
    stored: bool = False
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Track:
    """One machine's readings as JSON objects, in order of time."""

    key: MachineKey
    at_ms: list[int]
    rows: list[str]


async def run(config: ReplayConfig, *, stop: asyncio.Event) -> Replayed:
    """Register unknown machines, publish, and return when the store has it all, or at ``stop``.

    Raises:
        RecordingError: the file, or what the registry says of its machines, cannot be used.
        NobodyListensError: no collector, or one that works by another registry.
        fleet.registry.RegistryMissing: the folder holds no network.
    """
    began = time.monotonic()
    recording = read(config.path, config.timezone)
    try:
        keys, added = enrol(config.fleet_dir, config.member, recording.names, config.every)
    except edit.EditRefused as error:
        raise RecordingError(f"{config.path}: its machines cannot be registered: {error}") from error
    known = registry.load(config.fleet_dir)
    done = Replayed(rows=recording.rows, empty=recording.empty, refused=recording.refused, reasons=recording.reasons)
    done.machines, done.machines_added = len(keys), added
    tracks = _tracks(config, recording, keys, known, done)
    publisher = _Publisher(config, done)
    closing = asyncio.Event()
    session = asyncio.create_task(publisher.session.run(closing))
    work = asyncio.create_task(publisher.publish(tracks, known.digest))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, session, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.wait({work, stopped})
        closing.set()
        await asyncio.wait({session})
    for task in (work, session):
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise failure
    done.seconds = round(time.monotonic() - began, 3)
    return done


def _tracks(
    config: ReplayConfig,
    recording: Recording,
    keys: dict[Name, MachineKey],
    known: registry.Registry,
    done: Replayed,
) -> list[_Track]:
    """What each machine will have said; counts the rows that were used and united on the way."""
    ends = list(spans(recording))
    first, last = min(start for start, _ in ends), max(end for _, end in ends)
    shift = now_ms() - last if config.ends_now else 0
    tracks = []
    for name, intervals in recording.intervals.items():
        united = unite(intervals)
        machine = known.machine(keys[name])
        every_s = min(config.every, machine.every if machine else config.every)
        said = list(told(united, first, last, max(1, round(1000 * every_s))))
        used = min(len(united), len(intervals))  # overlapping states cut one row into several intervals
        done.used += used
        done.united += len(intervals) - used
        rows = [f'{{"at":{at + shift},"state":"{state}"}}' for at, state in said]
        tracks.append(_Track(keys[name], [at + shift for at, _ in said], rows))
    for name, readings in recording.readings.items():
        once = sorted(set(readings), key=lambda reading: reading.at_ms)
        done.used += len(once)
        done.united += len(readings) - len(once)
        at = [reading.at_ms + shift for reading in once]
        tracks.append(_Track(keys[name], at, [_object(reading, shift) for reading in once]))
    return tracks


def _object(reading: Measured, shift_ms: int) -> str:
    fields = [f'"at":{reading.at_ms + shift_ms}']
    if reading.power_w is not None:
        fields.append(f'"power_w":{reading.power_w!r}')
    if reading.counter is not None:
        fields.append(f'"count":{reading.counter}')
    if reading.state is not None:
        fields.append(f'"state":"{reading.state}"')
    return "{" + ",".join(fields) + "}"


class _Publisher:
    def __init__(self, config: ReplayConfig, done: Replayed) -> None:
        self._config, self._done = config, done
        self._flow = Flow()
        self._total = 0
        self.session = Session(
            config.broker,
            client_id=f"resilian-replay-{os.getpid()}-{now_ms() % 100_000}",
            subscriptions=(Flow.TOPIC, Flow.TOUCHED),
            on_burst=self._heard,
            session_expiry_s=0,
        )

    def _heard(self, burst: Burst) -> None:
        self._flow.hear(burst)
        self.session.acknowledge(burst)

    async def publish(self, tracks: Sequence[_Track], digest: str) -> None:
        await self._collector(digest)
        for track in tracks:
            self._flow.expect(track.key, track.at_ms[-1])
        self._total = sum(len(track.rows) for track in tracks)
        try:
            if self._config.speed is None:
                await self._at_once(tracks)
            else:
                await self._paced(tracks, self._config.speed)
        except SessionClosed as error:
            raise NobodyListensError(f"the broker at {self._config.broker} is gone: {error}") from error
        self._done.stored = await self._flow.stored()
        if not self._done.stored:
            raise NobodyListensError(
                "ingest fell silent before the store had everything; start it again and replay again"
            )

    async def _collector(self, digest: str) -> None:
        if await self._flow.collector(self._config.patience_s, digest):
            return
        waited = f"within {self._config.patience_s:.0f} s"
        if not self._flow.alive:
            raise NobodyListensError(
                f"no ingest speaks at {self._config.broker} {waited}: start `resilian up` or `ingest`"
            )
        raise NobodyListensError(
            f"ingest at {self._config.broker} does not work by the registry in {self._config.fleet_dir} {waited}: "
            "give both the same folder (RESILIAN_FLEET)"
        )

    async def _at_once(self, tracks: Sequence[_Track]) -> None:
        pending: list[tuple[str, bytes]] = []
        for track in tracks:
            topic = reading_topic(*track.key)
            for payload in arrays(track.rows):
                pending.append((topic, payload))
                if len(pending) == _TOGETHER:
                    await self._send(pending)
                    pending = []
            self._count(len(track.rows))
        await self._send(pending)

    async def _paced(self, tracks: Sequence[_Track], speed: float) -> None:
        """One message a reading, in order of time over all machines."""
        began, first = time.monotonic(), min(track.at_ms[0] for track in tracks)
        for at_ms, topic, row in heapq.merge(*(_single(track) for track in tracks)):
            ahead_s = (at_ms - first) / 1000 / speed - (time.monotonic() - began)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            await self._send([(topic, row.encode())])
            self._count(1)

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await self._flow.room()
        await self.session.publish_all(messages)
        self._flow.sent(len(messages))
        self._done.messages += len(messages)

    def _count(self, readings: int) -> None:
        self._done.readings += readings
        if self._config.progress is not None:
            self._config.progress(self._done.readings, self._total, "")


def _single(track: _Track) -> Iterator[tuple[int, str, str]]:
    topic = reading_topic(*track.key)
    return ((at_ms, topic, row) for at_ms, row in zip(track.at_ms, track.rows, strict=True))
