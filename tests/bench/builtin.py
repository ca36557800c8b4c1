"""The weights of ``analytics.near.BUILT_IN``, learned anew on the simulated network.

usage: python -m tests.bench.builtin

They are what a forecast believes before its own machines have taught it. The simulated firms are nobody's, so they may
teach everybody.
"""

import sys
import tempfile
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import near
from analytics.evaluate.files import Timeline as Recorded
from analytics.evaluate.grid import Grid
from analytics.signals import SCALE
from analytics.spans import Spans, both, united, without
from fleet.network import Calendar
from fleet.registry import load
from fleet.states import BUSY, USED
from simulators.network import write
from simulators.plant import Plant, plants_of
from simulators.timeline import Timeline, counting_since

SEED: Final = 3
END: Final = datetime(2026, 6, 1, tzinfo=UTC)
WEEKS: Final = 14
WINDOW_H: Final = 6
ZONE: Final = "Europe/Paris"


def simulated(seed: int = SEED) -> Grid:
    """The true hours of the network's machines over the weeks before :data:`END`; closed days are not observed."""
    return simulated_with_calendars(seed)[0]


def simulated_with_calendars(seed: int) -> tuple[Grid, dict[str, tuple[Plant, Calendar]]]:
    """The same, and the machines with their calendars, by name."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), seed, END)
        registry = load(Path(folder))
    plants = {plant.name: (plant, registry.calendar(plant.key)) for plant in plants_of(seed, registry)}
    return Grid.of({name: recorded(plant) for name, (plant, _) in plants.items()}, ZONE), plants


def recorded(plant: Plant) -> Recorded:
    """The truth of one machine."""
    start, end = (round(at.timestamp() * 1000) for at in (END - timedelta(weeks=WEEKS), END))
    truth = Timeline(plant, counting_since(END.date(), WEEKS)).intervals(start, end)
    pairs = np.stack([truth.start_ms, truth.end_ms], axis=1) / 1000.0

    def spent(codes: frozenset[int]) -> Spans:
        return united(pairs[np.isin(truth.state, sorted(codes))])

    alive = without(united([(start / 1000.0, end / 1000.0)]), closed(plant))
    return Recorded(both(spent(BUSY), alive), both(spent(USED), alive), alive)


def closed(plant: Plant) -> Spans:
    """Closures and public holidays of its calendar: as in an outlook, they teach nothing."""
    days = (END.date() - timedelta(days=ago) for ago in range(7 * WEEKS + 1))
    shut = [datetime.combine(day, time(), plant.schedule.zone) for day in days if plant.schedule.closed(day)]
    return united([(at.timestamp(), (at + timedelta(days=1)).timestamp()) for at in shut])


def weights() -> NDArray[np.float64]:
    """What they teach, from nothing, to two digits."""
    grid = simulated()
    return np.round(near.learn(grid.hours, grid.states(1.0).state, WINDOW_H, near.NOTHING_KNOWN), 2)


if __name__ == "__main__":
    found = weights().tolist()
    names = [*SCALE, *(f"{name}, long" for name in list(SCALE)[: len(found) - len(SCALE)])]
    sys.stdout.writelines(f"    {weight:.2f},  # {name}\n" for name, weight in zip(names, found, strict=True))
