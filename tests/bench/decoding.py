"""Thresholds of power beside the whole model that they come from: is decoding better than two numbers?

usage: python -m tests.bench.decoding [--machines 40] [--seed 11] [--weeks 8] [--every 60]
       python -m tests.bench.decoding --readings READINGS.csv --test-from TIME    (a file of `evaluate states`)
       (behind ``scripts/bench decoding``)

``threshold`` is one of the two thresholds, sample by sample; ``product`` both of them with dwell, as the ledger does;
``filtered`` the model given all samples so far, which could run live; ``smoothed`` given those to come, too, which
could not. In a file of readings levels are decoded even where they would be refused: the question is the method, not
the machine.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import fitted as levels
from analytics.evaluate.files import read_readings
from analytics.fitted import Fitted, grid_of
from analytics.modes import Modes, belonging, likelihood
from analytics.samples import Floats, Ints, samples
from analytics.states import StateModel
from analytics.timeline import Channels
from analytics.weights import held_ms, quantiles
from fleet.batch import empty_rows
from fleet.states import NO_STATE, PRODUCING
from tests.bench.states import plants, tell

METHODS: Final = ("threshold", "product", "filtered", "smoothed")
Bools = NDArray[np.bool_]


class Case(NamedTuple):
    """One machine's power to judge, and whether it was PRODUCING, shape (n,); and what was fitted before."""

    at: Ints
    power_w: Floats
    true: Bools
    found: Fitted
    silence_ms: int


def filtered(x: Floats, modes: Modes) -> Floats:
    """How much each sample belongs to each level, given those before it, shape (n, k)."""
    likely, now, found = likelihood(x, modes), modes.share, np.empty((len(x), len(modes.mean)))
    for step in range(len(x)):
        now = (now @ modes.change) * likely[step]
        found[step] = now = now / now.sum()
    return found


def said(case: Case) -> dict[str, tuple[Bools, Bools]]:
    """Method -> what it says and what was true, at the instants of the grid."""
    modes, split = case.found.modes, case.found.split
    grid = grid_of(case.at, case.power_w, case.silence_ms, case.found.grid.reference_w)
    place = np.searchsorted(case.at, grid.at, side="right") - 1
    known = ~np.isnan(grid.x)
    rule = levels.rule_of(case.found)
    works = {
        "threshold": grid.x >= math.log((rule.on_w or math.inf) / grid.reference_w),
        "product": _ledger(case, StateModel(case.silence_ms, rule.on_w, rule.off_w))[place],
        "filtered": filtered(grid.x, modes)[:, split:].sum(axis=1) > 0.5,
        "smoothed": belonging(grid.x, modes).weight[:, split:].sum(axis=1) > 0.5,
    }
    return {name: (one[known], case.true[place[known]]) for name, one in works.items()}


def _ledger(case: Case, model: StateModel) -> Bools:
    """Whether the ledger says PRODUCING from each sample on."""
    rows = empty_rows(len(case.at))
    rows["at_ns"], rows["power_w"] = case.at * 1_000_000, case.power_w
    end_ms = int(case.at[-1]) + 1
    powers = Channels.of(samples(rows, end_ms), model, None, end_ms).powers
    works: Bools = powers.settled == PRODUCING
    return works


def simulated(count: int, seed: int, weeks: int, every_s: float) -> Iterator[Case]:
    """Machines of the simulated network whose levels are accepted."""
    silence_ms = round(3000 * every_s)
    for plant in plants(seed, count):
        told = tell(plant, weeks, every_s)
        at, power = told.samples.at_ms, told.samples.power_w
        before = at < told.from_ms
        found = levels.fitted(at[before], power[before], silence_ms)
        if isinstance(found, Fitted):
            after = ~before
            yield Case(at[after], power[after], told.samples.state[after] == PRODUCING, found, silence_ms)


def recorded(path: Path, test_from: datetime) -> Iterator[Case]:
    """Machines of a readings file: two levels, whether they would be accepted or not."""
    told, split_ms = read_readings(path), round(test_from.timestamp() * 1000)
    for index in range(len(told.machines)):
        mine = (told.machine == index) & ~np.isnan(told.power_w) & (told.label != NO_STATE)
        at, first = np.unique(told.at_ms[mine], return_index=True)
        power, true = told.power_w[mine][first], told.label[mine][first] == PRODUCING
        silence_ms, before = 3 * round(float(np.median(np.diff(at)))), at < split_ms
        (top,) = quantiles(power[before], held_ms(at[before], silence_ms), (levels.HIGHEST,))
        grid = grid_of(at[before], power[before], silence_ms, top)
        *_, (modes, _) = levels.fits(grid)
        yield Case(at[~before], power[~before], true[~before], Fitted(grid, modes, 1), silence_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description="Thresholds beside the whole model")
    parser.add_argument("--machines", type=int, default=40)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--every", type=float, default=60.0)
    parser.add_argument("--readings", type=Path)
    parser.add_argument("--test-from", type=lambda text: datetime.fromisoformat(text).astimezone(UTC))
    asked = parser.parse_args()
    cases = (
        recorded(asked.readings, asked.test_from)
        if asked.readings
        else simulated(asked.machines, asked.seed, asked.weeks, asked.every)
    )
    right, whole, machines = dict.fromkeys(METHODS, 0), 0, 0
    for case in cases:
        found, machines = said(case), machines + 1
        one = {name: int((told == true).sum()) for name, (told, true) in found.items()}
        whole += len(found["product"][1])
        right = {name: right[name] + one[name] for name in METHODS}
        if asked.readings:
            sys.stdout.write(json.dumps({name: one[name] / len(found[name][1]) for name in METHODS}) + "\n")
    told = {name: round(right[name] / whole, 4) for name in METHODS}
    sys.stdout.write(json.dumps({"machines": machines, **told}) + "\n")


if __name__ == "__main__":
    main()
