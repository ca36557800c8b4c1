"""Laser cutting: source and chiller at once, piercing and moves between parts; the chiller holds standby high."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _cut_and_move(phase: Floats) -> Floats:
    return np.where((phase * 12) % 1.0 < 0.25, 0.34, 0.86)


LASER = Kind(
    name="laser",
    trade=Trade.LASER,
    rated_w=(28_000, 65_000),
    off=0.003,
    standby=0.12,
    setup=0.15,
    run=Spread(35, 0.5),
    pause=Spread(5),
    change=Spread(12),
    runs=4,
    cycle_s=(300, 1_200),
    counts="cycles",
    curve=_cut_and_move,
    levels=Levels(0.25, 0.25),
    fault_hours=60,
    night=0.3,
    overrun_s=2_400,
)
