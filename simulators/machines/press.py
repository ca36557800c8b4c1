"""Hydraulic or bending press: a peak at each stroke, long changes of die, the hold of a mounted die."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _stroke(phase: Floats) -> Floats:
    return 0.25 + 0.72 * np.exp(-(((phase - 0.3) / 0.12) ** 2))


PRESS = Kind(
    name="press",
    trade=Trade.PRESS,
    rated_w=(15_000, 75_000),
    off=0.001,
    standby=0.05,
    setup=0.10,
    run=Spread(45, 0.5),
    pause=Spread(9),
    change=Spread(50, 0.4),
    runs=4,
    cycle_s=(8, 40),
    counts="pieces",
    curve=_stroke,
    levels=Levels(0.35, 0.1),
    fault_hours=75,
    night=0.08,
)
