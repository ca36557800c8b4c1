"""Lathe with bar feeder: short cycles, spindle start peaks, many changeovers."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _spindle(phase: Floats) -> Floats:
    return np.select([phase < 0.08, phase > 0.9], [0.98 + 0.0 * phase, 0.22 + 0.0 * phase], 0.55)


LATHE = Kind(
    name="lathe",
    trade=Trade.TURNING,
    rated_w=(9_000, 24_000),
    off=0.002,
    standby=0.09,
    setup=0.14,
    run=Spread(40, 0.5),
    pause=Spread(6),
    change=Spread(28, 0.5),
    runs=4,
    cycle_s=(45, 240),
    counts="pieces",
    curve=_spindle,
    levels=Levels(0.25, 0.2),
    fault_hours=80,
    night=0.2,
    overrun_s=3_600,
)
