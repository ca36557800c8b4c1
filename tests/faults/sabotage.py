"""Collectors broken on purpose, each in one way that bridges are broken in. The oracle must catch them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, tzinfo
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import bus.link
import bus.requests
import ingest.columns
import ingest.service
from accelerator import logs
from bus.client import Burst, Memory, Session
from bus.packets import Hello
from bus.wire import Wire, connect_bytes, subscribe_bytes
from fleet.batch import ReadingBatch, Rows, key_ns
from ingest import quarantine
from ingest.decoders import times
from ingest.errors import SpoolFull
from ingest.forwarder import Forwarder
from ingest.gaps.life import Life, Took
from ingest.handing import Handing
from ingest.report import Report
from ingest.shares import Shares
from ingest.spool import Spool
from ingest.thread import SpoolThread
from ingest.writer import Writer
from store import StoreUnavailable
from store.influx_http import InfluxHttp
from tests.faults.points import replace

SLOW_DISK_S = 0.05
"""As a busy disk would slow a commit, so that a kill falls between an early PUBACK and the commit."""
_NAME = b"\x00\x04MQTT\x05"
_CLEAN_START = 0b10


def options_of_session(**more: Any) -> None:
    """Sessions are made with these options from now on."""
    original = Session.__init__

    def made(self: Session, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **{**options, **more})

    replace(Session, "__init__", made)


def _early_acknowledgement() -> None:
    """Each burst is acknowledged well before anything is on disk."""
    original, commit = Session.__init__, Spool.commit

    def made(self: Session, *arguments: Any, on_burst: Callable[[Burst], None], **options: Any) -> None:
        def early(burst: Burst) -> None:
            self.acknowledge(burst)
            on_burst(burst)

        original(self, *arguments, on_burst=early, **options)

    def committing(self: Spool, *arguments: Any) -> int | None:
        time.sleep(SLOW_DISK_S)
        return commit(self, *arguments)

    replace(Session, "__init__", made)
    replace(Spool, "commit", committing)


def _arrival_keys() -> None:
    """A reading's key depends on when it arrived, so a redelivery is a second reading."""

    def keyed(rows: Rows, at_ms: NDArray[np.int64], *arguments: Any) -> NDArray[np.int64]:
        keys = key_ns(rows, at_ms, *arguments)
        return at_ms * 1_000_000 + (keys + time.time_ns() // 1_000_000) % 1_000_000

    replace(ingest.columns, "key_ns", keyed)


def _forgotten_spool() -> None:
    """What waited for the store is gone after a restart, as with a buffer in memory."""
    opened = SpoolThread.open

    async def empty(self: SpoolThread) -> None:
        for path in self._path.parent.glob(f"{self._path.name}*"):
            path.unlink()
        await opened(self)

    replace(SpoolThread, "open", empty)


def _marked_before_written() -> None:
    """A batch counts as stored when its write begins."""
    deliver = Forwarder._deliver

    async def delivering(self: Forwarder, ids: list[int], batch: ReadingBatch) -> None:
        await self._mark(ids, [])
        await deliver(self, ids, batch)

    replace(Forwarder, "_deliver", delivering)


def _subscribed_once() -> None:
    """The devices are subscribed on the first connection alone."""
    times = 0

    def subscribing(packet_id: int, patterns: Sequence[str], *once: Any) -> bytes:
        nonlocal times
        times += patterns[0].startswith("net/v1/health/")
        return subscribe_bytes(packet_id, patterns if times == 1 else ["net/v1/command/nobody"] * len(patterns), *once)

    replace(bus.requests, "subscribe_bytes", subscribing)


def _brokers_word() -> None:
    """A session that the broker calls present is taken for the one that was there before."""
    replace(ingest.service, "Memory", lambda mark, doubt, marked: Memory(0, doubt, marked))


def _clean_start() -> None:
    """Every connection begins a new session, as many clients do by default."""

    def connecting(hello: Hello) -> bytes:
        packet = bytearray(connect_bytes(hello))
        packet[packet.index(_NAME) + len(_NAME)] |= _CLEAN_START
        return bytes(packet)

    replace(bus.link, "connect_bytes", connecting)


def _no_keep_alive() -> None:
    """Nobody asks whether the broker is still there."""
    replace(Wire, "keep_alive", lambda self, seconds: None)


def _silent_overflow() -> None:
    """The broker's word that it threw messages away is not heard."""
    replace(Report, "dropped", lambda self, payload: 0)


def _flood_dropped() -> None:
    """A member that sends too much is cut off, as by a rate limit."""
    split = Shares.split

    def splitting(self: Shares, *arguments: Any) -> tuple[ReadingBatch | None, list[tuple[str, ReadingBatch]]]:
        return split(self, *arguments)[0], []

    replace(Shares, "split", splitting)


def _blind_to_gaps() -> None:
    """A number that is passed over is not missed."""

    def forward(self: Life, number: int, at_ms: int, arrived_ms: int) -> Took:
        self.top, self.newest_ms = number, max(self.newest_ms, at_ms)
        return Took.NEXT

    replace(Life, "_forward", forward)


def _moved_unsubscribed() -> None:
    """A member is taken over before the broker was asked for its messages."""
    replace(Handing, "_ask", lambda self, member: self._raise(member))


def _clocks_believed() -> None:
    """What is declared of a device's clock counts for nothing."""
    replace(ingest.columns, "corrected", lambda decode, ahead_ms: decode)


def _local_as_utc() -> None:
    """Local times are taken for UTC."""
    local_ms = times._local_ms

    def as_utc(text: str, field: str, zone: tzinfo, arrived_ms: int) -> int:
        return local_ms(text, field, UTC, arrived_ms)

    replace(times, "_local_ms", as_utc)


def _dropped_when_away() -> None:
    """A store that is away, slow or refusing gets no second try."""
    write = Writer._write

    async def writing(self: Writer, part: ReadingBatch) -> None:
        with suppress(StoreUnavailable, TimeoutError):
            await write(self, part)

    replace(Writer, "_write", writing)


def _swallowed_refusals() -> None:
    """A request that is refused counts as written."""
    write = InfluxHttp._write_part

    async def writing(
        self: InfluxHttp, bucket: str, lines: Sequence[str], numbers: Sequence[int], refused: dict[int, str]
    ) -> None:
        await write(self, bucket, lines, numbers, {})

    replace(InfluxHttp, "_write_part", writing)


def _no_grace() -> None:
    """What the store has confirmed is kept no longer."""
    mark = Spool.mark_stored

    def marking(self: Spool, *arguments: Any) -> None:
        mark(self, *arguments)
        self.call(lambda db, _: db.execute("DELETE FROM batch WHERE stored_ms IS NOT NULL").rowcount)

    replace(Spool, "mark_stored", marking)


def _acknowledged_when_full() -> None:
    """A commit for which there is no room counts as done."""
    commit = Spool.commit

    def committing(self: Spool, *arguments: Any) -> int | None:
        with suppress(SpoolFull):
            return commit(self, *arguments)
        return None

    replace(Spool, "commit", committing)


def _raising_log() -> None:
    """The log goes to stderr as it is."""
    replace(logs, "PatientStream", lambda stream: stream)


def _silent_damage() -> None:
    """What damage took is not kept in mind."""
    replace(quarantine, "add_gone", lambda db, batches: None)
    replace(quarantine, "put_aside", lambda db, number, _: db.execute("DELETE FROM batch WHERE id = ?", (number,)))


SABOTAGES: Final[Mapping[str, Callable[[], None]]] = {
    "early-acknowledgement": _early_acknowledgement,
    "arrival-keys": _arrival_keys,
    "forgotten-spool": _forgotten_spool,
    "marked-before-written": _marked_before_written,
    "subscribed-once": _subscribed_once,
    "brokers-word": _brokers_word,
    "clean-start": _clean_start,
    "no-keep-alive": _no_keep_alive,
    "silent-overflow": _silent_overflow,
    "flood-dropped": _flood_dropped,
    "moved-unsubscribed": _moved_unsubscribed,
    "blind-to-gaps": _blind_to_gaps,
    "clocks-believed": _clocks_believed,
    "local-as-utc": _local_as_utc,
    "dropped-when-away": _dropped_when_away,
    "swallowed-refusals": _swallowed_refusals,
    "no-grace": _no_grace,
    "acknowledged-when-full": _acknowledged_when_full,
    "raising-log": _raising_log,
    "silent-damage": _silent_damage,
}
