"""A member between collectors: the states, and every message kept by exactly one of them whatever happens when."""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.handover import Fence, Holding, Members, claims, fence_bytes, load, read_fence, remember

ZORN = "zorn"


def members(program: str, *, everyone: bool = False, **known: Holding) -> Members:
    return Members(program, everyone=everyone, known=known)


def test_a_fence_hands_a_member_over() -> None:
    old, new = members("ingest", everyone=True), members("ingest-north")
    new.adopt(ZORN, "f1")
    assert (old.takes(ZORN), new.takes(ZORN)) == (True, False)
    fence = Fence(ZORN, "ingest-north", "f1")
    assert (old.pass_fence(fence), new.pass_fence(fence)) == (True, True)
    assert (old.takes(ZORN), new.takes(ZORN)) == (False, True)
    assert old.figures() == {"members": None, "adopting": [], "elsewhere": {ZORN: "ingest-north"}}
    assert new.figures() == {"members": [ZORN], "adopting": [], "elsewhere": {}}


def test_what_comes_twice_or_late_changes_nothing() -> None:
    new = members("ingest-north")
    new.adopt(ZORN, "f2")
    assert not new.pass_fence(Fence(ZORN, "ingest-north", "f1"))
    assert new.pass_fence(Fence(ZORN, "ingest-north", "f2"))
    assert not new.pass_fence(Fence(ZORN, "ingest-north", "f2"))
    third = members("ingest-south")
    assert not third.pass_fence(Fence(ZORN, "ingest-north", "f2"))
    assert third.known == {}


def test_what_is_known_survives(tmp_path: Any) -> None:
    db = sqlite3.connect(tmp_path / "spool")
    assert load(db) == {}
    one = members("ingest-north")
    one.adopt(ZORN, "f1")
    remember(db, one.hand_over())
    one.pass_fence(Fence(ZORN, "ingest-north", "f1"))
    remember(db, one.hand_over())
    remember(db, one.hand_over())
    assert load(db) == {ZORN: Holding("own", "f1", passed=("f1",))}


def test_a_fence_that_comes_again_behind_that_of_the_next_move_changes_nothing() -> None:
    old, new = members("ingest", everyone=True), members("ingest-north")
    there, back = Fence(ZORN, "ingest-north", "f1"), Fence(ZORN, "ingest", "f2")
    new.adopt(ZORN, "f1")
    assert old.pass_fence(there)
    old.adopt(ZORN, "f2")
    assert [old.pass_fence(fence) for fence in (back, there)] == [True, False]
    assert [new.pass_fence(fence) for fence in (there, back, there)] == [True, True, False]
    assert (old.takes(ZORN), new.takes(ZORN)) == (True, False)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b'{"member":"zorn"}', b'{"member":"Z/#","to":"ingest","fence":"f"}', b"\xff"]
)
def test_what_is_no_fence_is_none(payload: bytes) -> None:
    assert read_fence(payload) is None


def test_a_fence_is_read_as_it_was_written() -> None:
    fence = Fence(ZORN, "ingest-north", "f1")
    assert read_fence(fence_bytes(fence)) == fence


def test_who_claims_a_member() -> None:
    assert claims({"members": [ZORN]}, ZORN)
    assert claims({"members": None, "adopting": [ZORN]}, ZORN)
    assert not claims({"members": None}, ZORN)
    assert not claims({}, ZORN)


@dataclass
class Side:
    """A collector at a broker: its queue, and what is on disk. A kill loses what was read and not committed."""

    program: str
    everyone: bool
    subscribed: bool
    disk: dict[str, Holding] = field(default_factory=dict)
    queue: list[Any] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def members(self) -> Members:
        return Members(self.program, everyone=self.everyone, known=self.disk)

    def read(self, count: int, *, killed: bool) -> None:
        """One burst: read, then commit and acknowledge, unless killed before."""
        own, taken = self.members(), []
        for item in self.queue[:count]:
            if isinstance(item, Fence):
                own.pass_fence(item)
            elif own.takes(ZORN):
                taken.append(item)
        if not killed:
            self.disk |= own.hand_over()
            self.taken += taken
            del self.queue[:count]


@given(st.data())
def test_each_message_is_kept_once_whatever_happens_when(data: st.DataObject) -> None:
    """Moves there and back at any moment, between bursts of any size, with kills at any of them."""
    sides = [Side("ingest", True, subscribed=True), Side("ingest-north", False, subscribed=False)]
    sent, fences = 0, 0
    steps = st.sampled_from(["send", "send", "send", "read", "kill", "move", "fence again"])
    for step in data.draw(st.lists(steps, max_size=60)):
        side = data.draw(st.sampled_from(sides))
        if step == "send":
            for one in sides:
                if one.subscribed:
                    one.queue.append(sent)
            sent += 1
        elif step in ("read", "kill"):
            side.read(data.draw(st.integers(1, 5)), killed=step == "kill")
        elif step == "move":
            own = side.members()
            if not own.has(ZORN) and not own.of("adopting"):
                fences += 1
                own.adopt(ZORN, f"f{fences}")
                side.disk |= own.hand_over()
                side.subscribed = True
                _fence(sides, side)
        elif step == "fence again" and side.members().of("adopting"):
            _fence(sides, side)  # a restart, a new connection
    for side in sides:
        side.read(len(side.queue), killed=False)
    kept = Counter(number for side in sides for number in side.taken)
    assert kept == Counter(range(sent))


def _fence(sides: list[Side], to: Side) -> None:
    fence = Fence(ZORN, to.program, to.disk[ZORN].fence)
    for one in sides:
        one.queue.append(fence)
    assert json.loads(fence_bytes(fence))["to"] == to.program
