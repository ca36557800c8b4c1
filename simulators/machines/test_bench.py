"""Test bench: ramps and plateaus of a load campaign, long preparation, weeks without a campaign."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _plateaus(phase: Floats) -> Floats:
    return 0.40 + 0.145 * np.floor(phase * 5)


TEST_BENCH = Kind(
    name="test-bench",
    trade=Trade.TEST,
    rated_w=(20_000, 90_000),
    off=0.001,
    standby=0.04,
    setup=0.07,
    run=Spread(80, 0.6),
    pause=Spread(18),
    change=Spread(60, 0.5),
    runs=2,
    cycle_s=(1_800, 4_800),
    counts="cycles",
    curve=_plateaus,
    levels=Levels(0.55, 0.05),
    fault_hours=110,
    night=0.1,
)
