"""Messages that are no readings, kept with the reason: refused ones and those of devices nobody has claimed.

They are written in the transaction of their burst, so they are durable before they are acknowledged. A member's
messages are bounded in number and bytes; beyond the bound the oldest stay only as counts. ``sha256`` is of the whole
payload, so what a publisher knows that it sent can be found here.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from ingest.decoders.base import Fault

PREFIX_BYTES: Final = 512
WHOLE_BYTES: Final = 65_536
"""A larger payload is kept as its prefix and hash alone, and cannot be tried again."""
MAX_MESSAGES: Final = 2_000
MAX_BYTES: Final = 8 * 2**20
NEWEST: Final = 20
LOOK_MS: Final = 10_000
LOOKED_BYTES: Final = WHOLE_BYTES
"""Of a member's unclaimed payloads, in each span of :data:`LOOK_MS`: a guess costs up to 5 µs a byte, and everybody's
commits wait for it."""

Kind = Literal["reject", "unclaimed"]


class Reject(NamedTuple):
    """A message, or some elements of it, that cannot become readings.

    Attributes:
        member: the member below whose name the topic lies, "" when it is nobody's.
        machine: the machine the topic is routed to, "" when to none.
        at_ms: when it arrived, epoch ms.
        faults: at least one.
        payload: as it came; of readings the store refused, ``ReadingBatch.to_bytes()``, with ``prefix`` for people.
    """

    member: str
    machine: str
    topic: str
    at_ms: int
    faults: tuple[Fault, ...]
    payload: bytes
    prefix: bytes | None = None


class Kept(NamedTuple):
    """A kept message, to be tried again."""

    id: int
    kind: Kind
    member: str
    topic: str
    at_ms: int
    reason: str
    payload: bytes


class Bounds:
    """How much is kept, and looked at, of each member, so that the bounds cost no query."""

    def __init__(self, db: sqlite3.Connection) -> None:
        rows = db.execute("SELECT kind, member, count(*), sum(bytes) FROM kept GROUP BY kind, member")
        self._held: dict[tuple[str, str], list[int]] = {(kind, member): [n, size] for kind, member, n, size in rows}
        self._looked: dict[str, tuple[int, int]] = {}

    def add(self, kind: Kind, member: str, messages: int, size: int) -> bool:
        """Count messages in (or out); whether the member is beyond its bound now."""
        held = self._held.setdefault((kind, member), [0, 0])
        held[0] += messages
        held[1] += size
        return held[0] > MAX_MESSAGES or held[1] > MAX_BYTES

    def look(self, member: str, at_ms: int, size: int) -> bool:
        """Whether an unclaimed payload of this size may be looked at, which then counts as looked at."""
        span = at_ms // LOOK_MS
        before, looked = self._looked.get(member, (span, 0))
        looked = looked + size if before == span else size
        if looked > LOOKED_BYTES:
            return False
        self._looked[member] = (span, looked)
        return True


def add_rejects(db: sqlite3.Connection, bounds: Bounds, rejects: Iterable[Reject]) -> None:
    """Keep rejects and count them by member and reason; a partly refused array counts its refused elements."""
    for reject in rejects:
        first = reject.faults[0]
        indices = sorted({fault.element for fault in reject.faults if fault.element is not None})
        keep(db, bounds, "reject", reject, first, json.dumps(indices))
        elements = {(fault.element, fault.reason) for fault in reject.faults}
        for reason, count in Counter(reason for _, reason in elements).items():
            tally(db, "reject", reject.member, reason, count)


def keep(db: sqlite3.Connection, bounds: Bounds, kind: Kind, message: Reject, first: Fault, indices: str) -> None:
    """Insert one message, and let the oldest of its member go when it is beyond the bound."""
    payload = message.payload if len(message.payload) <= WHOLE_BYTES else None
    prefix = (message.payload if message.prefix is None else message.prefix)[:PREFIX_BYTES]
    texts = (message.topic, first.field, first.value, first.rule)
    size = len(payload or b"") + len(prefix) + len(indices) + sum(map(len, texts)) + 200
    db.execute(
        "INSERT INTO kept (kind, member, machine, topic, at_ms, reason, field, value, rule, indices, sha256, prefix,"
        " payload, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind, message.member, message.machine, message.topic, message.at_ms, first.reason, clean(first.field),
            clean(first.value), first.rule, indices, hashlib.sha256(message.payload).hexdigest(), prefix, payload, size,
        ),
    )  # fmt: skip
    if bounds.add(kind, message.member, 1, size):
        _shed(db, bounds, kind, message.member)


def _shed(db: sqlite3.Connection, bounds: Bounds, kind: Kind, member: str) -> None:
    oldest = db.execute(
        "SELECT id, bytes FROM kept WHERE kind = ? AND member = ? ORDER BY id LIMIT ?",
        (kind, member, MAX_MESSAGES // 20),
    ).fetchall()
    for row_id, size in oldest:
        db.execute("DELETE FROM kept WHERE id = ?", (row_id,))
        if not bounds.add(kind, member, -1, -size):
            return


def tally(db: sqlite3.Connection, kind: Kind, member: str, reason: str, count: int) -> None:
    """Count messages of a member for good; kept or not."""
    db.execute(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        (kind, member, reason, count),
    )


def repair(db: sqlite3.Connection, bounds: Bounds, ids: Sequence[int]) -> None:
    """These messages became readings after all: neither kept nor counted any more."""
    for row_id in ids:
        row = db.execute(
            "DELETE FROM kept WHERE id = ? RETURNING kind, member, reason, bytes, indices", (row_id,)
        ).fetchone()
        if row is not None:
            kind, member, reason, size, indices = row
            bounds.add(kind, member, -1, -size)
            counted = max(1, len(json.loads(indices)))
            db.execute(
                "UPDATE tally SET n = max(0, n - ?) WHERE kind = ? AND member = ? AND reason = ?",
                (counted, kind, member, reason),
            )


def page(db: sqlite3.Connection, kind: Kind, member: str | None, after: int, limit: int = 200) -> list[Kept]:
    """Messages that are kept whole, oldest first, with ids above ``after``."""
    rows = db.execute(
        "SELECT id, kind, member, topic, at_ms, reason, payload FROM kept WHERE kind = ? AND (? IS NULL OR member = ?)"
        " AND id > ? AND payload IS NOT NULL ORDER BY id LIMIT ?",
        (kind, member, member, after, limit),
    )
    return [Kept(*row) for row in rows]


def members(db: sqlite3.Connection, kind: Kind) -> list[str]:
    """Members that have any."""
    return [member for (member,) in db.execute("SELECT DISTINCT member FROM tally WHERE kind = ? ORDER BY 1", (kind,))]


def summary(db: sqlite3.Connection, member: str) -> dict[str, Any]:
    """The body of ``net/v1/rejects/<member>``, but for ``at``."""
    reasons = dict(db.execute("SELECT reason, n FROM tally WHERE kind = 'reject' AND member = ? AND n > 0", (member,)))
    newest = [
        {
            "at": at_ms, "topic": topic, "machine": machine, "reason": reason, "field": field, "value": value,
            "rule": rule, "indices": json.loads(indices)[:NEWEST], "prefix": text(prefix), "sha256": sha256,
        }
        for at_ms, topic, machine, reason, field, value, rule, indices, prefix, sha256 in db.execute(
            "SELECT at_ms, topic, machine, reason, field, value, rule, indices, prefix, sha256 FROM kept"
            " WHERE kind = 'reject' AND member = ? ORDER BY id DESC LIMIT ?", (member, NEWEST),
        )
    ]  # fmt: skip
    return {"total": sum(reasons.values()), "by_reason": reasons, "newest": newest}


def text(data: bytes) -> str:
    """Bytes of a payload for people: UTF-8 with replacements, NUL made visible."""
    return clean(data.decode("utf-8", "replace"))


def clean(value: str) -> str:
    """Text that any database and any JSON reader takes: no lone surrogates, no NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
