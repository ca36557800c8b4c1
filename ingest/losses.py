"""What the broker lost: our session with all that was queued for us, or messages that it threw away from a full queue.

Recorded in the spool, in the document ``session`` of the store, and published.
"""

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from fleet.clock import now_ms
from fleet.records import Document
from fleet.topics import SESSION
from ingest import seen
from ingest.background import Background
from ingest.thread import SpoolThread
from store import Store, StoreError

_log = structlog.get_logger(__name__)
_KEPT: Final = 100
"""Of the newest losses of each kind, in the spool and the store."""
TOLD: Final = 5
"""Of the newest losses of each kind, in each health message."""
_PAUSE_MS: Final = 600_000
"""An overflow this soon after the last belongs to it."""
WORD_S: Final = 14.0
"""Mosquitto tells its counts every 10 s, so what it threw away had its place in the queue at most so long before."""
_RETRY_S: Final = 5.0
_UNMARKED: Final = 1
"""In place of a mark: there was a session, and it has none; all that earlier versions wrote."""


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


def merged(known: Iterable[Loss], new: Iterable[Loss], kept: int) -> list[Loss]:
    """The newest lost sessions and the newest overflows, so many of each, oldest first; pure.

    Neither pushes the other out, and an overflow that goes on is one loss: any client can make a queue overflow, its
    own, as often as it likes, and the broker does not say whose it was.
    """
    sessions: list[Loss] = []
    overflows: list[Loss] = []
    for loss in known:
        (sessions if loss.messages is None else overflows).append(loss)
    for loss in new:
        if loss.messages is None:
            sessions.append(loss)
        elif overflows and _began(loss) <= overflows[-1].at_ms + _PAUSE_MS:
            overflows[-1] = _both(overflows[-1], loss)
        else:
            overflows.append(loss)
    return sorted((*sessions[-kept:], *overflows[-kept:]), key=lambda loss: loss.at_ms)


def _began(loss: Loss) -> int:
    return loss.at_ms if loss.since_ms is None else loss.since_ms


def _both(old: Loss, new: Loss) -> Loss:
    known = old.since_ms is not None and new.since_ms is not None
    return Loss(
        max(old.at_ms, new.at_ms),
        new.reason,
        min(_began(old), _began(new)) if known else None,
        (old.messages or 0) + (new.messages or 0),
    )


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


class Before(NamedTuple):
    """What earlier runs of the program left.

    Attributes:
        had_session: the broker kept a session for them.
        mark: of that session, see :mod:`bus.mark`; 0 when it has none.
        doubted: the last one ended before it knew whether the broker had kept it.
        safe_ms: when the newest readings were put on disk of which it is known that no lost session came before them,
            epoch ms; None without any.
        long_safe_ms: the same of what was there :data:`WORD_S` before that: of the time since then they may not have
            heard whether the broker threw something away.
        dropped: the broker's count of messages that it threw away, as they last heard it.
        losses: the newest of each kind, oldest first.
    """

    had_session: bool
    mark: int
    doubted: bool
    safe_ms: int | None
    long_safe_ms: int | None
    dropped: int | None
    losses: tuple[Loss, ...]


class Losses:
    """Keeps the newest losses; the document ``session`` of the store follows.

    Attributes:
        newest: the last few of each kind, those of earlier runs too; oldest first.
        safe: to be told every few seconds, and at the start, what is safe.
    """

    def __init__(
        self, program: str, thread: SpoolThread, store: Store, publish: Callable[[str, bytes], None], before: Before
    ) -> None:
        self._program, self._thread, self._store, self._publish = program, thread, store, publish
        self.newest = list(before.losses)
        self.safe = Safe()
        self._doubted = before.doubted
        self._since_ms = before.safe_ms
        self._reason = ""
        self._jobs = Background()
        self._unwritten = asyncio.Event()
        if before.losses:
            self._unwritten.set()  # the last run may have ended before the store had them

    def doubt(self, safe_ms: int | None) -> None:
        """There is a connection, and it is not known yet whether the broker kept our session; what is safe now."""
        if not self._doubted:
            self._doubted, self._since_ms = True, safe_ms
            self._jobs.start(self._thread.query(partial(_doubt, safe_ms=safe_ms)), "remember what is safe")

    def session(self, reason: str) -> None:
        """The broker lost our session; until :meth:`marked` it goes on losing what comes."""
        text = "the broker lost our session; what it had queued for us may be lost"
        _log.error(text, reason=reason, since=self._since_ms)
        self._reason = self._reason or reason

    def marked(self, mark: int, epoch: int) -> None:
        """The broker holds for us what comes from now on, in a session with this mark.

        Args:
            epoch: of the first connection whose packet ids belong to that session, if the one before is lost.
        """
        reason, self._reason, self._doubted = self._reason, "", False
        new = [Loss(now_ms(), reason, self._since_ms, None)] if reason else []
        self._record(new, partial(_mark, mark=mark, new_from=epoch if reason else None))

    def overflow(self, messages: int, dropped: int | None) -> None:
        """The broker threw so many messages away; ``dropped`` is its count, to be known by our next life, too."""
        reason = "the broker threw messages away: a queue was full, of some client, perhaps not ours"
        new = [Loss(now_ms(), reason, self.safe.since_ms, messages)] if messages else []
        self._record(new, partial(_dropped, count=dropped))

    def told(self) -> list[dict[str, Any]]:
        """The newest losses, as health messages tell them."""
        return [loss.body(self._program) for loss in self.newest]

    def _record(self, new: list[Loss], more: Callable[[sqlite3.Connection], None]) -> None:
        """Keep new losses, and more in the same transaction; it is asked for before anything that comes later."""

        def record(db: sqlite3.Connection) -> None:
            more(db)
            _add(db, new)

        self._jobs.start(self._told_when(self._thread.query(record), new), "record what the broker lost")

    async def _told_when(self, recorded: Awaitable[None], new: list[Loss]) -> None:
        """A loss is told when it is recorded, and so told once whenever we are killed."""
        await recorded
        self.newest = merged(self.newest, new, TOLD)
        for loss in new:
            body = {**loss.body(self._program), "lost": True}
            self._publish(SESSION.format(program=self._program), json.dumps(body).encode())
            self._unwritten.set()

    async def run(self) -> None:
        """Write losses to the store, until cancelled."""
        while True:
            await self._unwritten.wait()
            self._unwritten.clear()
            body = json.dumps([loss.body(self._program) for loss in await self._thread.query(_all)])
            await self._write(Document(member="", machine=self._program, kind="session", at=now_ms(), body=body))

    async def close(self, patience_s: float) -> None:
        """Let what is being recorded come to its end."""
        await self._jobs.close(patience_s)

    async def _write(self, document: Document) -> None:
        while True:
            try:
                await self._store.write_documents([document])
            except StoreError:
                await asyncio.sleep(_RETRY_S)  # the forwarder says why
            else:
                return


def before(db: sqlite3.Connection) -> Before:
    """Read what earlier runs left in the spool."""
    known = dict(db.execute("SELECT name, value FROM meta").fetchall())
    newest, session, doubt = _made_ms(db, 2**62), known.get("session", 0), known.get("doubt")
    long_safe = None if newest is None else _made_ms(db, newest - round(1000 * WORD_S))
    safe = newest if doubt is None else doubt if doubt >= 0 else None
    return Before(
        had_session=session > 0,
        mark=session if session > _UNMARKED else 0,
        doubted=doubt is not None,
        safe_ms=safe,
        long_safe_ms=long_safe,
        dropped=known.get("dropped"),
        losses=tuple(merged(_all(db), (), TOLD)),
    )


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


def _doubt(db: sqlite3.Connection, safe_ms: int | None) -> None:
    """Before anything that comes on the new connection: what comes is newer than what the broker may have lost."""
    db.execute("INSERT OR IGNORE INTO meta VALUES ('doubt', ?)", (-1 if safe_ms is None else safe_ms,))


def _mark(db: sqlite3.Connection, mark: int, new_from: int | None) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES ('session', ?)", (max(mark, _UNMARKED),))
    db.execute("DELETE FROM meta WHERE name = 'doubt'")
    if new_from is not None:
        seen.forget(db, new_from)  # the packet ids of a new session are new


def _dropped(db: sqlite3.Connection, count: int | None) -> None:
    if count is not None:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('dropped', ?)", (count,))


def _add(db: sqlite3.Connection, new: list[Loss]) -> None:
    if new:
        kept = merged(_all(db), new, _KEPT)
        db.execute("DELETE FROM loss")
        db.executemany("INSERT INTO loss (at_ms, reason, since_ms, messages) VALUES (?, ?, ?, ?)", kept)


def _all(db: sqlite3.Connection) -> list[Loss]:
    rows = db.execute("SELECT at_ms, reason, since_ms, messages FROM loss ORDER BY id")
    return [Loss(*row) for row in rows.fetchall()]
