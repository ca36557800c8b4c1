"""What the broker lost: our session with all that was queued for us, or messages that it threw away from a full queue.

Recorded in the spool, in the document ``session`` of the store, and published.
"""

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from fleet.clock import now_ms
from fleet.records import Document
from fleet.topics import SESSION
from ingest import seen
from ingest.thread import SpoolThread
from store import Store, StoreError

_log = structlog.get_logger(__name__)
_KEPT: Final = 100
TOLD: Final = 5
"""Of the newest losses, in each health message."""
WORD_S: Final = 14.0
"""Mosquitto tells its counts every 10 s, so what it threw away had its place in the queue at most so long before."""
_RETRY_S: Final = 5.0


class Loss(NamedTuple):
    """One loss.

    Attributes:
        at_ms: when it was over and told, epoch ms: what came later is safe, or told by a later loss.
        reason: in a sentence.
        since_ms: arrival of the newest message that is safe; what came after it may be lost. Where we lagged behind the
            broker, that was sent by so much earlier. None when nothing is known to be safe.
        messages: how many the broker says that it threw away, from any client's queue; None of a lost session.
    """

    at_ms: int
    reason: str
    since_ms: int | None
    messages: int | None

    def body(self, program: str) -> dict[str, Any]:
        """As it is published and kept."""
        told = {"at": self.at_ms, "program": program, "reason": self.reason, "since": self.since_ms}
        return told | ({} if self.messages is None else {"messages": self.messages})


class Safe:
    """What was safe in the last :data:`WORD_S` seconds, and just before. Pure."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int | None]] = deque()

    def beat(self, at_s: float, safe_ms: int | None) -> None:
        """What is safe at a time of some clock, seconds; times grow."""
        self._samples.append((at_s, safe_ms))
        while len(self._samples) > 1 and self._samples[1][0] <= at_s - WORD_S:
            self._samples.popleft()

    @property
    def since_ms(self) -> int | None:
        """The newest that is safe although the broker tells only now that it threw messages away."""
        return self._samples[0][1] if self._samples else None


class Losses:
    """Keeps the newest losses; the document ``session`` of the store follows.

    Attributes:
        newest: the last few, those of earlier runs too; oldest first.
        safe: to be told every few seconds, and at the start, what is safe.
    """

    def __init__(self, program: str, thread: SpoolThread, store: Store, publish: Callable[[str, bytes], None]) -> None:
        self._program, self._thread, self._store, self._publish = program, thread, store, publish
        self.newest: deque[Loss] = deque(maxlen=TOLD)
        self.safe = Safe()
        self._lost: tuple[str, int | None] | None = None
        self._new: list[Loss] = []
        self._dropped: int | None = None
        self._changed = asyncio.Event()

    def session(self, reason: str, since_ms: int | None) -> None:
        """The broker came back without our session; until :meth:`subscribed` it goes on losing what comes."""
        _log.error("the broker lost our session; what it had queued for us may be lost", reason=reason, since=since_ms)
        self._lost = self._lost or (reason, since_ms)

    def subscribed(self) -> None:
        """The broker holds for us what comes from now on."""
        if self._lost is not None:
            (reason, since_ms), self._lost = self._lost, None
            self._add(Loss(now_ms(), reason, since_ms, None))

    def overflow(self, messages: int, dropped: int | None) -> None:
        """The broker threw so many messages away; ``dropped`` is its count, to be known by our next life, too."""
        self._dropped = dropped
        self._changed.set()
        if messages:
            reason = "the broker threw messages away: a queue was full"
            self._add(Loss(now_ms(), reason, self.safe.since_ms, messages))

    def told(self) -> list[dict[str, Any]]:
        """The newest losses, as health messages tell them."""
        return [loss.body(self._program) for loss in self.newest]

    def _add(self, loss: Loss) -> None:
        self.newest.append(loss)
        self._new.append(loss)
        self._changed.set()
        body = {**loss.body(self._program), "lost": True}
        self._publish(SESSION.format(program=self._program), json.dumps(body).encode())

    async def run(self) -> None:
        """Make losses durable, in the spool, then in the store, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            new, self._new = self._new, []
            losses = await self._thread.query(partial(_record, new=tuple(new), dropped=self._dropped))
            if new:
                body = json.dumps([loss.body(self._program) for loss in losses])
                await self._write(Document(member="", machine=self._program, kind="session", at=now_ms(), body=body))

    async def _write(self, document: Document) -> None:
        while True:
            try:
                await self._store.write_documents([document])
            except StoreError:
                await asyncio.sleep(_RETRY_S)  # the forwarder says why
            else:
                return


class Before(NamedTuple):
    """What earlier runs of the program left.

    Attributes:
        had_session: the broker kept a session for them.
        safe_ms: when their newest readings were put on disk, epoch ms; None without any.
        long_safe_ms: the same of what was there :data:`WORD_S` before that: of the time since then they may not have
            heard whether the broker threw something away.
        dropped: the broker's count of messages that it threw away, as they last heard it.
        losses: the newest, oldest first.
    """

    had_session: bool
    safe_ms: int | None
    long_safe_ms: int | None
    dropped: int | None
    losses: tuple[Loss, ...]


def before(db: sqlite3.Connection) -> Before:
    """Read what earlier runs left in the spool."""
    known = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('session', 'dropped')").fetchall())
    newest = _made_ms(db, 2**62)
    long_safe = None if newest is None else _made_ms(db, newest - round(1000 * WORD_S))
    return Before("session" in known, newest, long_safe, known.get("dropped"), tuple(_all(db)[-TOLD:]))


def _made_ms(db: sqlite3.Connection, until_ms: int) -> int | None:
    """When the newest batch of that time or earlier was put on disk; by bisection: to read every row takes long."""
    (low,), (high,) = (db.execute(f"SELECT {which}(id) FROM batch").fetchone() for which in ("min", "max"))  # noqa: S608
    found: int | None = None
    while low is not None and low <= high:
        middle = (low + high) // 2
        row = db.execute("SELECT id, made_ms FROM batch WHERE id <= ? ORDER BY id DESC LIMIT 1", (middle,)).fetchone()
        if row[1] <= until_ms:
            found, low = row[1], middle + 1
        else:
            high = row[0] - 1
    return found


def remember_session(db: sqlite3.Connection) -> None:
    """The broker has a session of this data folder from now on."""
    db.execute("INSERT OR IGNORE INTO meta VALUES ('session', 1)")


def _record(db: sqlite3.Connection, new: tuple[Loss, ...], dropped: int | None) -> list[Loss]:
    if dropped is not None:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('dropped', ?)", (dropped,))
    db.executemany("INSERT INTO loss (at_ms, reason, since_ms, messages) VALUES (?, ?, ?, ?)", new)
    db.execute("DELETE FROM loss WHERE id <= (SELECT max(id) FROM loss) - ?", (_KEPT,))
    if any(loss.messages is None for loss in new):
        seen.forget(db)  # the packet ids of a new session are new
    return _all(db)


def _all(db: sqlite3.Connection) -> list[Loss]:
    rows = db.execute("SELECT at_ms, reason, since_ms, messages FROM loss ORDER BY id")
    return [Loss(*row) for row in rows.fetchall()]
