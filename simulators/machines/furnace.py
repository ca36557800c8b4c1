"""Heat-treatment furnace: loads of hours that end at night without anyone, heating then holding."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _heat_and_hold(phase: Floats) -> Floats:
    heating = 0.98 - 0.1 * phase
    holding = np.where((phase * 40) % 1.0 < 0.45, 0.62, 0.42)
    return np.where(phase < 0.3, heating, holding)


FURNACE = Kind(
    name="furnace",
    trade=Trade.FURNACE,
    rated_w=(40_000, 120_000),
    off=0.001,
    standby=0.05,
    setup=0.08,
    run=Spread(260, 0.3),
    pause=Spread(35),
    change=Spread(25),
    runs=2,
    cycle_s=(12_000, 18_000),
    counts="cycles",
    curve=_heat_and_hold,
    levels=Levels(0.35, 0.15),
    fault_hours=300,
    repair=Spread(180, 0.9),
    maintenance_weeks=9,
    maintenance=Spread(240, 0.3),
    night=0.5,
    overrun_s=6 * 3_600,
)
