"""Whose messages a collector takes, and how a member goes from one collector to another without loss or duplicates.

The collector that shall have the member subscribes to it and then publishes a *fence* that both collectors hear. The
broker puts the fence into both queues at one moment: what came before it is the old one's, what comes after it the new
one's, each of them ignoring the other part. What they are is written in the commit that the fence is part of, so a kill
at any moment changes nothing. Pure, but for the table.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from fleet.topics import DEVICES, SLUG
from ingest.sparkplug import memory

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS handover (member TEXT PRIMARY KEY, state TEXT NOT NULL, fence TEXT NOT NULL,"
    " other TEXT NOT NULL, passed TEXT NOT NULL) WITHOUT ROWID"
)
_PASSED: Final = 16
"""Fences of a member that are remembered; one is published again at most until the move that it is for has ended."""


class Holding(NamedTuple):
    """What a member is to a collector.

    Attributes:
        state: ``adopting`` until the fence came, then ``own``; ``gone`` to the collector ``other``.
        fence: that makes it ours.
        other: collector that has it now; "" while it is ours.
        passed: fences that have counted, newest first. One is published again after a restart, and may then come behind
            that of the next move: the first time alone counts, at every collector.
    """

    state: Literal["adopting", "own", "gone"]
    fence: str = ""
    other: str = ""
    passed: tuple[str, ...] = ()


class Fence(NamedTuple):
    """A message on :data:`fleet.topics.HANDOVER`: from here on ``member`` belongs to the collector ``to``."""

    member: str
    to: str
    fence: str


def fence_bytes(fence: Fence) -> bytes:
    """The message's body."""
    return json.dumps(fence._asdict()).encode()


def read_fence(payload: bytes) -> Fence | None:
    """The fence, or None when the message is none."""
    try:
        body: dict[str, Any] = json.loads(payload)
        fence = Fence(str(body["member"]), str(body["to"]), str(body["fence"]))
    except (ValueError, KeyError, TypeError):
        return None
    return fence if SLUG.fullmatch(fence.member) and fence.to else None


class Members:
    """What each member is to the collector ``program``; whoever is not known here is taken as it comes.

    Args:
        program: its name in ``net/v1/health/<program>``.
        everyone: it takes every member that no other collector has; else only those that it adopted.
        known: what :func:`load` found.
    """

    def __init__(self, program: str, *, everyone: bool, known: Mapping[str, Holding]) -> None:
        self.program = program
        self.everyone = everyone
        self.known = dict(known)
        self._changed: dict[str, Holding] = {}

    def takes(self, member: str) -> bool:
        """Whether a message of this member is ours to keep: whatever the broker sends us is, but for a handover."""
        holding = self.known.get(member)
        return holding is None or holding.state == "own"

    def has(self, member: str) -> bool:
        """Whether it is ours by a handover, or because we take everyone."""
        holding = self.known.get(member)
        return self.everyone if holding is None else holding.state == "own"

    def filters(self, *members: str) -> tuple[str, ...]:
        """The topic filters that bring these members' messages."""
        if self.everyone:
            return DEVICES
        return tuple(pattern.replace("+", member) for member in members for pattern in DEVICES)

    def of(self, *states: str) -> list[str]:
        """The members of these states, sorted."""
        return sorted(member for member, holding in self.known.items() if holding.state in states)

    def adopt(self, member: str, fence: str) -> None:
        """Wait for this fence; until then its messages are the other collector's."""
        self._set(member, Holding("adopting", fence, passed=self._passed(member)))

    def yield_to(self, member: str, other: str) -> None:
        """Another collector has it, which we did not know."""
        self._set(member, Holding("gone", other=other, passed=self._passed(member)))

    def pass_fence(self, fence: Fence) -> bool:
        """A fence came; whether that changed what the member is to us."""
        holding, passed = self.known.get(fence.member), self._passed(fence.member)
        if fence.fence in passed:
            return False
        passed = (fence.fence, *passed)[:_PASSED]
        if fence.to == self.program:
            if holding is None or (holding.state, holding.fence) != ("adopting", fence.fence):
                return False
            self._set(fence.member, Holding("own", fence.fence, passed=passed))
            return True
        if not self.has(fence.member):
            return False
        self._set(fence.member, Holding("gone", other=fence.to, passed=passed))
        return True

    def hand_over(self) -> dict[str, Holding]:
        """What changed since the last call, for the commit."""
        changed, self._changed = self._changed, {}
        return changed

    def figures(self) -> dict[str, Any]:
        """What health tells: ``members`` is None of a collector that takes all but those in ``elsewhere``."""
        gone = {member: holding.other for member, holding in sorted(self.known.items()) if holding.state == "gone"}
        return {
            "members": None if self.everyone else self.of("own"),
            "adopting": self.of("adopting"),
            "elsewhere": gone,
        }

    def _passed(self, member: str) -> tuple[str, ...]:
        holding = self.known.get(member)
        return () if holding is None else holding.passed

    def _set(self, member: str, holding: Holding) -> None:
        self.known[member] = self._changed[member] = holding


def claims(health: Mapping[str, Any], member: str) -> bool:
    """Whether a collector says in its health message that this member is its own, or will be."""
    return member in (health.get("members") or ()) or member in (health.get("adopting") or ())


def load(db: sqlite3.Connection) -> dict[str, Holding]:
    """Everything known."""
    db.execute(_TABLE)
    rows = db.execute("SELECT member, state, fence, other, passed FROM handover")
    return {member: Holding(state, fence, other, tuple(passed.split())) for member, state, fence, other, passed in rows}


def remember(db: sqlite3.Connection, changed: Mapping[str, Holding] | Iterable[tuple[str, Holding]]) -> None:
    """Write what changed, in the transaction that makes the messages before it durable."""
    rows = [(member, *holding[:3], " ".join(holding.passed)) for member, holding in dict(changed).items()]
    if rows:
        db.execute(_TABLE)  # a file that replaced a damaged one has none
        db.executemany("INSERT OR REPLACE INTO handover VALUES (?, ?, ?, ?, ?)", rows)
        memory.forget(db, [member for member, state, *_ in rows if state == "gone"])
