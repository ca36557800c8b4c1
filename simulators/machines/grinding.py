"""Grinder: wheel always turning while it works, in-feed and spark-out."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _infeed_sparkout(phase: Floats) -> Floats:
    return np.where(phase < 0.65, 0.68, 0.33)


GRINDER = Kind(
    name="grinder",
    trade=Trade.GRINDING,
    rated_w=(7_000, 20_000),
    off=0.002,
    standby=0.07,
    setup=0.12,
    run=Spread(55, 0.5),
    pause=Spread(8),
    change=Spread(40, 0.4),
    runs=4,
    cycle_s=(60, 420),
    counts="pieces",
    curve=_infeed_sparkout,
    levels=Levels(0.3, 0.15),
    fault_hours=100,
)
