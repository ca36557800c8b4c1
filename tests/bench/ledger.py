"""What the ledger costs: microseconds of CPU a reading, by kind of feed, at once, as they come, and for many machines.

usage: python -m tests.bench.ledger [--rounds 5] [--json]

A day of each feed, made here: power every 5 s, a state on every change, a counter every 10 s, power with an energy
counter every 10 s. *At once* folds the day; *as they come* brings the head of the history up to date after every
reading, from the carry of the hour before, as the worker does for one that comes alone; *in a burst* does so for 200
machines of which each brings a minute of readings. The best of the rounds counts; nothing here reads a store.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from analytics.derive import Tail, advance
from analytics.ledger import fold
from analytics.states import StateModel
from fleet.batch import NO_INT, MachineKey, Rows, empty_rows
from fleet.states import NO_STATE, OFF, PRODUCING, SETUP, STANDBY

KEY: Final = MachineKey("acme", "mill")
START: Final = 1_700_000_000 // 86_400 * 86_400
DAY_S: Final = 86_400
MACHINES: Final = 200
MINUTE_S: Final = 60


class Feed(NamedTuple):
    """A day of one machine and the model that reads it."""

    rows: Rows
    model: StateModel


def feeds() -> dict[str, Feed]:
    """A day of each kind of feed; the same in every run."""
    rng = np.random.default_rng(7)
    changes = np.unique(rng.integers(0, DAY_S, 300))
    states = rng.choice([PRODUCING, SETUP, STANDBY, OFF], len(changes), p=[0.5, 0.1, 0.3, 0.1])
    return {
        "power every 5 s": _feed(rng, 5, power=True),
        "state on change": Feed(_rows(changes, state=states), StateModel(max_silence_ms=3 * DAY_S * 1000)),
        "counter every 10 s": _feed(rng, 10, counter=True),
        "power and energy every 10 s": _feed(rng, 10, power=True, energy=True),
    }


def _feed(
    rng: np.random.Generator, every: int, *, power: bool = False, energy: bool = False, counter: bool = False
) -> Feed:
    at = np.arange(0, DAY_S, every)
    works = np.repeat(rng.random(DAY_S // 600) < 0.4, 600 // every)
    watts = np.where(works, 9_000.0, 700.0) * (1 + 0.04 * rng.standard_normal(len(at)))
    columns: dict[str, Any] = {"power_w": watts} if power else {}
    if energy:
        columns["energy_wh"] = np.cumsum(watts * every / 3600)
    if counter:
        columns["counter"] = np.cumsum(works & (rng.random(len(at)) < 0.5))
    model = StateModel(max_silence_ms=3 * every * 1000, on_w=4_000.0, off_w=2_800.0, idle_w=300.0, cycle_ms=60_000)
    return Feed(_rows(at, **columns), model)


def _rows(at: np.ndarray[Any, Any], **columns: Any) -> Rows:
    rows = empty_rows(len(at))
    rows["at_ns"] = (START + at) * 1_000_000_000
    rows["state"], rows["counter"] = NO_STATE, NO_INT
    for name in ("power_w", "energy_wh", "utilisation"):
        rows[name] = np.nan
    for name, values in columns.items():
        rows[name] = values
    return rows


def at_once(feed: Feed) -> tuple[Callable[[], None], int]:
    """Folding the day; and how many readings that is."""
    now_ms = (START + DAY_S) * 1000
    return lambda: _nothing(fold(KEY, feed.rows, feed.model, start=START, now_ms=now_ms)), len(feed.rows)


def as_they_come(feed: Feed, hours: int = 2) -> tuple[Callable[[], None], int]:
    """The head brought up to date after every reading of some hours; and how many readings that is."""
    first = np.searchsorted(feed.rows["at_ns"], (START + 12 * 3600) * 10**9)
    last = int(np.searchsorted(feed.rows["at_ns"], (START + (12 + hours) * 3600) * 10**9))
    before = _tail(feed, START + 12 * 3600)

    def run() -> None:
        tail = Tail(dict(before.buckets), whole=True)
        for count in range(int(first) + 1, last + 1):
            at_s = int(feed.rows["at_ns"][count - 1]) // 10**9
            _advance(feed, tail, count, at_s // 3600 * 3600, at_s + 1)

    return run, last - int(first)


def in_a_burst(feed: Feed) -> tuple[Callable[[], None], int]:
    """A minute of readings of each of the machines, half an hour into an hour; and how many readings that is."""
    end = START + 12 * 3600 + 1800
    count = int(np.searchsorted(feed.rows["at_ns"], end * 10**9))
    new = count - int(np.searchsorted(feed.rows["at_ns"], (end - MINUTE_S) * 10**9))
    before = _tail(feed, end - MINUTE_S)

    def run() -> None:
        for _ in range(MACHINES):
            _advance(feed, Tail(dict(before.buckets), whole=True), count, end // 3600 * 3600, end)

    return run, max(1, new) * MACHINES


def _tail(feed: Feed, end: int) -> Tail:
    known = feed.rows[feed.rows["at_ns"] < end * 10**9]
    tail = Tail(whole=True)
    tail.update(fold(KEY, known, feed.model, start=START, now_ms=end * 1000).hours)
    return tail


def _advance(feed: Feed, tail: Tail, count: int, hour: int, now_s: int) -> None:
    entry = tail.entry(hour, feed.model)
    assert entry is not None  # the tail is whole
    rows = feed.rows[:count]
    rows = rows[rows["at_ns"] >= entry[0] * 1_000_000_000]
    changed, _ = advance(KEY, tail, entry, rows, feed.model, now_s * 1000)
    tail.update(changed)


def _nothing(_: object) -> None:
    return None


def microseconds(job: Callable[[], None], readings: int, rounds: int) -> float:
    """CPU a reading, the best of the rounds."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        job()
        taken.append(time.process_time() - began)
    return min(taken) * 1e6 / readings


def figures(rounds: int) -> list[dict[str, Any]]:
    """One row a feed."""
    found = []
    for name, feed in feeds().items():
        row: dict[str, Any] = {"feed": name, "readings a day": len(feed.rows)}
        for what, made in (("at once", at_once), ("as they come", as_they_come), ("in a burst", in_a_burst)):
            job, readings = made(feed)
            row[what] = round(microseconds(job, readings, rounds), 2)
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = figures(asked.rounds)
    if asked.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    sys.stdout.write("microseconds of CPU a reading\n")
    for row in rows:
        sys.stdout.write("  ".join(f"{name}: {value}" for name, value in row.items()) + "\n")


if __name__ == "__main__":
    main()
