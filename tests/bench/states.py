"""States inferred on the simulated network against its truth, by kind of signal.

usage: python -m tests.bench.states [--machines 60] [--seed 11] [--weeks 8] [--every 60] [--json]
       (behind ``scripts/bench states``)

Each machine sends a reading every so many seconds, with the silences of its connection; what is learned is learned from
all weeks but the last two, which are judged. Kinds of signal: the published state, the counter, power alone, power with
the owner's marks, and power alone with the clamp moved three weeks before the judged ones; and, as a control, the same
by what was learned before it moved.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from analytics.evaluate.truth import Judged, Truth, figures, judge, table
from fleet.batch import Rows, empty_rows
from fleet.network import Calibration, Machine
from fleet.registry import load
from simulators.history import silences
from simulators.network import write
from simulators.noise import generator
from simulators.plant import Plant, plants_of
from simulators.timeline import Samples, Timeline, counting_since

END: Final = datetime(2026, 6, 1, tzinfo=UTC)
WEEK_MS: Final = 7 * 86_400_000
JUDGED_WEEKS: Final = 2
MOVED_WEEKS: Final = 3
MOVED: Final = ("power, clamp moved", "power, clamp moved, old model")
KINDS: Final = ("published", "counter", "power", "power, marked", *MOVED)


class Told(NamedTuple):
    """What one simulated machine said and did."""

    plant: Plant
    samples: Samples
    truth: Truth
    quiet: list[tuple[int, int]]
    from_ms: int
    until_ms: int


def plants(seed: int, count: int) -> Iterator[Plant]:
    """Plants of as many networks as it takes, from ``seed`` on."""
    made = 0
    while made < count:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), seed, END)
            for plant in plants_of(seed, load(Path(folder)))[: count - made]:
                made += 1
                yield plant
        seed += 1


def tell(plant: Plant, weeks: int, every_s: float) -> Told:
    """The plant's weeks, without what its connection lost."""
    until_ms = round(END.timestamp() * 1000)
    start_ms = until_ms - weeks * WEEK_MS
    line = Timeline(plant, counting_since(END.date(), weeks))
    at = np.arange(start_ms, until_ms, round(every_s * 1000), dtype=np.int64)
    quiet = [] if plant.imperfections.buffers else list(silences(plant, start_ms, until_ms))
    heard = np.ones(len(at), dtype=np.bool_)
    for begin, end in quiet:
        heard &= (at < begin) | (at >= end)
    truth = line.intervals(start_ms, until_ms)
    states = Truth(truth.start_ms, truth.end_ms, truth.state)
    return Told(plant, line.at(at[heard]), states, quiet, until_ms - JUDGED_WEEKS * WEEK_MS, until_ms)


def rows_of(told: Told, kind: str) -> Rows:
    """The readings of one kind of signal."""
    found = empty_rows(len(told.samples))
    found["at_ns"] = told.samples.at_ms * 1_000_000
    if kind == "published":
        found["state"] = told.samples.state
    elif kind == "counter":
        found["counter"] = told.samples.count
    else:
        factor = generator(told.plant.seed, told.plant.name, "moved").choice([1 / 3, 0.5, 2.0, 3.0])
        moved = (kind in MOVED) & (told.samples.at_ms >= told.from_ms - MOVED_WEEKS * WEEK_MS)
        found["power_w"] = told.samples.power_w * np.where(moved, factor, 1.0)
    return found


def machine_of(told: Told, kind: str, every_s: float) -> Machine:
    """The declaration: the period, the rated power but where a moved clamp would belie it, and the marks."""
    plant = told.plant
    machine = Machine(id="one", name="one", every=every_s)
    if kind in MOVED:
        return machine
    machine = machine.model_copy(update={"rated_w": plant.rated_w})
    if kind != "power, marked":
        return machine
    marks = {"off_w": plant.kind.off, "standby_w": plant.kind.standby, "working_w": plant.kind.producing}
    return machine.model_copy(
        update={"calibration": Calibration(**{name: share * plant.rated_w for name, share in marks.items()})}
    )


def judged(told: Told, kind: str, every_s: float) -> Judged:
    """One machine by one kind of signal."""
    return judge(
        rows_of(told, kind),
        machine_of(told, kind, every_s),
        told.truth,
        told.from_ms,
        told.until_ms,
        learn_until_ms=told.from_ms - MOVED_WEEKS * WEEK_MS * (kind == MOVED[1]),
        silences=told.quiet,
    )


def report(count: int, seed: int, weeks: int, every_s: float) -> dict[str, Any]:
    """Kind of signal -> its figures, over all machines; ``learned_anew``: whose clamp is thought to have moved."""
    sums = {kind: np.zeros((7, 7)) for kind in KINDS}
    quiet = {kind: np.zeros(2) for kind in KINDS}
    reasons: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    moves = dict.fromkeys(KINDS, 0)
    for plant in plants(seed, count):
        told = tell(plant, weeks, every_s)
        for kind in KINDS:
            one = judged(told, kind, every_s)
            sums[kind] += one.seconds
            quiet[kind] += one.silent
            moves[kind] += one.model.since_ms > 0
            if one.reason and kind.startswith("power"):
                reasons[kind][one.reason] = reasons[kind].get(one.reason, 0) + 1
    return {
        kind: {
            **figures(sums[kind]),
            "not_inferable": sum(reasons[kind].values()),
            "reasons": reasons[kind],
            "learned_anew": moves[kind],
            "silence_unknown": float(quiet[kind][1] / quiet[kind][0]) if quiet[kind][0] else None,
            "confusion": table(sums[kind]),
        }
        for kind in KINDS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="States on the simulated network, against its truth")
    parser.add_argument("--machines", type=int, default=60)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--every", type=float, default=60.0)
    asked = parser.parse_args()
    found = report(asked.machines, asked.seed, asked.weeks, asked.every)
    for kind, told in found.items():
        sys.stdout.write(json.dumps({"signal": kind, "machines": asked.machines, **told}) + "\n")


if __name__ == "__main__":
    main()
