"""Paint booth: fans and burner while spraying, more while the booth bakes; used little, the mission's own example."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _spray_flash_bake(phase: Floats) -> Floats:
    return np.select([phase < 0.45, phase < 0.55], [0.62 + 0.0 * phase, 0.47 + 0.0 * phase], 0.95)


PAINT_BOOTH = Kind(
    name="paint-booth",
    trade=Trade.PAINT,
    rated_w=(14_000, 32_000),
    off=0.001,
    standby=0.06,
    setup=0.30,
    run=Spread(70, 0.35),
    pause=Spread(14),
    change=Spread(25),
    runs=3,
    cycle_s=(2_100, 3_600),
    counts="cycles",
    curve=_spray_flash_bake,
    levels=Levels(0.7, 0.05),
    fault_hours=140,
    maintenance_weeks=4,
    night=0.05,
)
