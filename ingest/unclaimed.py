"""Devices that send below a member's name and that no machine has claimed yet.

Each topic is one device: how much it sent, its newest payload, and a guess at its format. The messages themselves are
kept like rejects, so what was sent before the claim becomes readings when the claim comes.
"""

import json
import sqlite3
from typing import Any, Final, NamedTuple

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE
from ingest import rejects
from ingest.decoders import DECODERS, Context, DecodeError, formats
from ingest.decoders.base import Fault
from ingest.decoders.profile import profiles

MAX_DEVICES: Final = 100
"""Topics a member; further ones are counted with their member, and their messages kept within its bound."""
LENIENT_MS: Final = 129_600_000
"""A guess looks at form alone: local times of any zone, and of a clock a day ahead, are times (36 hours)."""
_FIT_MUCH: Final = frozenset({"generic", "plain-value"})  # a device's own profile reads the same and knows more
_NO_ROUTE: Final = Fault("unclaimed", "", "", "a topic that a machine of the registry has")


class Unclaimed(NamedTuple):
    """A message on a topic that belongs to no machine."""

    member: str
    topic: str
    at_ms: int
    payload: bytes


def add_unclaimed(db: sqlite3.Connection, bounds: rejects.Bounds, messages: list[Unclaimed]) -> None:
    """Keep the messages and bring their devices up to date."""
    for message in messages:
        as_reject = rejects.Reject(message.member, "", message.topic, message.at_ms, (_NO_ROUTE,), message.payload)
        rejects.keep(db, bounds, "unclaimed", as_reject, _NO_ROUTE, "[]")
        rejects.tally(db, "unclaimed", message.member, "unclaimed", 1)
        known = db.execute(
            "UPDATE device SET last_ms = ?, messages = messages + 1, prefix = ? WHERE member = ? AND topic = ?",
            (message.at_ms, message.payload[: rejects.PREFIX_BYTES], message.member, message.topic),
        ).rowcount
        if not known:
            _new_device(db, message)


def _new_device(db: sqlite3.Connection, message: Unclaimed) -> None:
    (devices,) = db.execute("SELECT count(*) FROM device WHERE member = ?", (message.member,)).fetchone()
    if devices >= MAX_DEVICES:
        return
    found = guess(message.topic, message.payload, message.at_ms)
    db.execute(
        "INSERT INTO device VALUES (?, ?, ?, ?, 1, ?, ?)",
        (
            message.member, message.topic, message.at_ms, message.at_ms, message.payload[: rejects.PREFIX_BYTES],
            json.dumps(found),
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


def guess(topic: str, payload: bytes, arrived_ms: int) -> dict[str, Any] | None:
    """The format that reads most of a payload: ``{"format", "score", "reason"}``; None when none reads anything.

    The score is 0.1 for being read at all, 0.2 for each quantity (three count) and 0.2 for a device time; 0.05 goes off
    for the mappings that fit much, and 0.3 when something in the payload was refused.
    """
    best: dict[str, Any] | None = None
    for name in formats():
        found = score(name, topic, payload, Context(arrived_ms + LENIENT_MS))
        if found is not None and (best is None or found["score"] > best["score"]):
            best = found
    return best


def score(name: str, topic: str, payload: bytes, context: Context) -> dict[str, Any] | None:
    """How well one format reads a payload, as :func:`guess` says it; None when it reads nothing."""
    decode = DECODERS[name] if name in DECODERS else profiles()[name].decode
    refused = ""
    try:
        readings = decode(topic, payload, context)
    except DecodeError as error:
        readings, refused = error.readings, str(error)
    if not readings:
        return None
    quantities = _quantities(readings[0])
    timed = readings[0].at_ms is not None
    sure = 0.1 + 0.2 * min(3, len(quantities)) + 0.2 * timed - 0.05 * (name in _FIT_MUCH) - 0.3 * bool(refused)
    reason = f"reads {', '.join(quantities) or 'metrics'}{' and the time' if timed else '; no time'}"
    return {"format": name, "score": round(sure, 2), "reason": f"{reason}; refused {refused}" if refused else reason}


def _quantities(reading: Reading) -> list[str]:
    names = [
        name for name in ("utilisation", "power_w", "energy_wh") if getattr(reading, name) == getattr(reading, name)
    ]
    names += ["count"] if reading.counter != NO_INT else []
    return names + (["state"] if reading.state != NO_STATE else [])
