"""Devices that send below a member's name and that no machine has claimed yet.

Each topic is one device: how much it sent, its newest payload, and a guess at what it is. The messages themselves are
kept like rejects, so what was sent before the claim becomes readings when the claim comes.
"""

import json
import sqlite3
from typing import Any, Final, NamedTuple

from ingest import rejects
from ingest.decoders.base import Fault
from ingest.guess import Hint, guess, look_again, restored

MAX_DEVICES: Final = 100
"""Topics a member; further ones are counted with their member, and their messages kept within its bound."""
LOOK_MS: Final = rejects.LOOK_MS
"""A device is guessed anew at its first message in each span of that length, and of as much again for every
:data:`LOOK_BYTES`: a guess decodes a payload many times, and nobody shall keep the collector busy by that."""
LOOK_BYTES: Final = 4_096
_NO_ROUTE: Final = Fault("unclaimed", "", "", "a topic that a machine of the registry has")


class Unclaimed(NamedTuple):
    """A message on a topic that belongs to no machine."""

    member: str
    topic: str
    at_ms: int
    payload: bytes
    hint: Hint = Hint()


def add_unclaimed(db: sqlite3.Connection, bounds: rejects.Bounds, messages: list[Unclaimed]) -> None:
    """Keep the messages and bring their devices up to date."""
    for message in messages:
        as_reject = rejects.Reject(message.member, "", message.topic, message.at_ms, (_NO_ROUTE,), message.payload)
        rejects.keep(db, bounds, "unclaimed", as_reject, _NO_ROUTE, "[]")
        rejects.tally(db, "unclaimed", message.member, "unclaimed", 1)
        known = db.execute(
            "SELECT last_ms, guess FROM device WHERE member = ? AND topic = ?", (message.member, message.topic)
        ).fetchone()
        if known is None:
            _new_device(db, bounds, message)
        else:
            _heard_again(db, bounds, message, *known)


def _heard_again(db: sqlite3.Connection, bounds: rejects.Bounds, message: Unclaimed, last_ms: int, found: str) -> None:
    span_ms = LOOK_MS * (1 + len(message.payload) // LOOK_BYTES)
    if message.at_ms // span_ms != last_ms // span_ms and _may_look(bounds, message):
        before = restored(json.loads(found))
        after = look_again(before, message.topic, message.payload, message.at_ms, message.hint)
        found = json.dumps(after and after.body())
    db.execute(
        "UPDATE device SET last_ms = ?, messages = messages + 1, prefix = ?, guess = ? WHERE member = ? AND topic = ?",
        (message.at_ms, message.payload[: rejects.PREFIX_BYTES], found, message.member, message.topic),
    )


def _may_look(bounds: rejects.Bounds, message: Unclaimed) -> bool:
    return bounds.look(message.member, message.at_ms, len(message.payload))


def _new_device(db: sqlite3.Connection, bounds: rejects.Bounds, message: Unclaimed) -> None:
    (devices,) = db.execute("SELECT count(*) FROM device WHERE member = ?", (message.member,)).fetchone()
    if devices >= MAX_DEVICES:
        return
    may = _may_look(bounds, message)
    found = guess(message.topic, message.payload, message.at_ms, message.hint) if may else None
    db.execute(
        "INSERT INTO device VALUES (?, ?, ?, ?, 1, ?, ?)",
        (
            message.member, message.topic, message.at_ms, message.at_ms, message.payload[: rejects.PREFIX_BYTES],
            json.dumps(found and found.body()),
        ),
    )  # fmt: skip


def forget_devices(db: sqlite3.Connection, topics: list[str]) -> None:
    """These topics are claimed."""
    db.executemany("DELETE FROM device WHERE topic = ?", [(topic,) for topic in topics])


def topics(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(member, topic) of every unclaimed device and of every kept unclaimed message."""
    rows = db.execute("SELECT member, topic FROM device UNION SELECT member, topic FROM kept WHERE kind = 'unclaimed'")
    return rows.fetchall()


def summary(db: sqlite3.Connection, member: str) -> dict[str, Any]:
    """The body of ``net/v1/unclaimed/<member>``, but for ``at``."""
    devices = [
        {
            "topic": topic, "first": first_ms, "last": last_ms, "messages": messages, "prefix": rejects.text(prefix),
            "guess": json.loads(found),
        }
        for topic, first_ms, last_ms, messages, prefix, found in db.execute(
            "SELECT topic, first_ms, last_ms, messages, prefix, guess FROM device WHERE member = ?"
            " ORDER BY last_ms DESC",
            (member,),
        )
    ]  # fmt: skip
    (total,) = db.execute(
        "SELECT coalesce(sum(n), 0) FROM tally WHERE kind = 'unclaimed' AND member = ?", (member,)
    ).fetchone()
    return {"total": total, "devices": devices}
