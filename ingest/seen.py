"""Which deliveries are on disk already, for messages that carry no time of their own.

Such a message is stamped on arrival, so a redelivery would become a second reading. Until the broker is known to have
our PUBACK we remember packet id and content; the same pair on a *later* connection of the same session is the broker's
redelivery. The packet id is the broker's to reuse as soon as it has the PUBACK, so one entry an id is enough.
"""

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Final, NamedTuple

REDELIVERED_FIRST: Final = 65_535
"""Redeliveries come before anything new, and no more of them than there are packet ids."""


class Seen(NamedTuple):
    """A committed delivery: hash of topic and payload, and the connection it came on."""

    hash: bytes
    epoch: int


def fingerprint(topic: str, payload: bytes) -> bytes:
    """What tells one message from another: 12 bytes."""
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=12).digest()


def remember(db: sqlite3.Connection, entries: Mapping[int, Seen]) -> None:
    """Write entries, in the transaction that makes their messages durable."""
    db.executemany(
        "INSERT OR REPLACE INTO seen (packet_id, hash, epoch) VALUES (?, ?, ?)",
        [(packet_id, entry.hash, entry.epoch) for packet_id, entry in entries.items()],
    )


def load(db: sqlite3.Connection) -> dict[int, Seen]:
    """Everything remembered."""
    return {packet_id: Seen(digest, epoch) for packet_id, digest, epoch in db.execute("SELECT * FROM seen")}


def forget(db: sqlite3.Connection, epoch: int) -> None:
    """The broker has no session of ours any more: its packet ids begin anew with this connection, if not before."""
    db.execute("DELETE FROM seen WHERE epoch < ?", (epoch,))


def next_epochs(db: sqlite3.Connection) -> int:
    """A number above every connection of earlier runs of the program; a run adds its own count to it."""
    db.execute("INSERT INTO meta VALUES ('run', 1) ON CONFLICT DO UPDATE SET value = value + 1")
    run: int = db.execute("SELECT value FROM meta WHERE name = 'run'").fetchone()[0]
    return run << 32


class Redeliveries:
    """Recognises redeliveries while messages come in; ``entries`` starts as what :func:`load` found."""

    def __init__(self, entries: dict[int, Seen], base: int) -> None:
        self._entries = entries
        self._base = base
        self._epoch = -1
        self._delivered = 0
        self.fresh: dict[int, Seen] = {}

    def begin(self, epoch: int, deliveries: int) -> None:
        """A burst of that many deliveries of the connection ``epoch`` comes."""
        if epoch != self._epoch:
            self._epoch, self._delivered = epoch, 0
        self._delivered += deliveries

    def is_repeat(self, packet_id: int | None, digest: bytes) -> bool:
        """Whether this delivery is committed already; otherwise it is remembered for the next commit."""
        if packet_id is None:
            return False
        epoch = self._base + self._epoch
        entry = self._entries.get(packet_id)
        if entry is not None and entry.hash == digest and entry.epoch != epoch and self._delivered <= REDELIVERED_FIRST:
            self._entries[packet_id] = self.fresh[packet_id] = Seen(digest, epoch)
            return True
        self._entries[packet_id] = self.fresh[packet_id] = Seen(digest, epoch)
        return False

    def forget(self, epoch: int) -> int:
        """The session is new with this connection, if not before; its epoch as :func:`forget` takes it."""
        epoch += self._base
        for entries in (self._entries, self.fresh):
            for packet_id in [packet_id for packet_id, entry in entries.items() if entry.epoch < epoch]:
                del entries[packet_id]
        return epoch
