"""What a kind of machine is: how long its stretches of work last and what it draws. Figures only, no state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from fleet.network import Trade
from simulators.noise import Floats


class Spread(NamedTuple):
    """A log-normal duration: median in minutes, and the standard deviation of its logarithm."""

    minutes: float
    sigma: float = 0.4

    @property
    def mean_s(self) -> float:
        """Expected seconds."""
        return 60.0 * self.minutes * float(np.exp(self.sigma**2 / 2))


class Levels(NamedTuple):
    """How much of the staffed hours machines of a kind are used: shares of the machines in three groups."""

    under: float  # structurally under-used: 4 to 22 % of the staffed hours
    over: float  # overloaded: 86 to 97 %; the rest is between 45 and 80 %


_REPAIR: Final = Spread(45, 0.9)
_SERVICE: Final = Spread(150, 0.3)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of machine.

    Attributes:
        rated_w: range of the rated power, watts; a machine has one value of it for life.
        off, standby, setup: power in these states as a share of the rated power. FAULT draws as STANDBY, MAINTENANCE
            half of it.
        run, pause: stretches of PRODUCING, and of STANDBY between two of them within a job.
        change, runs: SETUP before a job, and the mean number of stretches of a job.
        cycle_s: range of the seconds a piece or a cycle takes.
        counts: what its counter counts.
        fault_hours, repair: mean hours of production between faults, and how long one lasts.
        maintenance_weeks, maintenance: every how many weeks, and how long.
        night: share of nights and week-ends that it spends on standby instead of off.
        overrun_s: how long a stretch may go on unattended after the shift, seconds.
        curve: phase of the cycle, 0..1 -> power while producing as a share of the rated power, element by element.
        noise: standard deviation of the power around its curve, as a share of it.
    """

    name: str
    trade: Trade
    rated_w: tuple[float, float]
    off: float
    standby: float
    setup: float
    run: Spread
    pause: Spread
    change: Spread
    runs: float
    cycle_s: tuple[float, float]
    counts: Literal["pieces", "cycles"]
    curve: Callable[[Floats], Floats]
    levels: Levels
    fault_hours: float = 90.0
    repair: Spread = _REPAIR
    maintenance_weeks: int = 6
    maintenance: Spread = _SERVICE
    night: float = 0.15
    overrun_s: float = 0.0
    noise: float = 0.04

    @property
    def efficiency(self) -> float:
        """Share of an occupied block that is PRODUCING or SETUP: what a block's chance is divided by."""
        work = self.run.mean_s + self.change.mean_s / self.runs
        down = self.run.mean_s / (3600.0 * self.fault_hours) * self.repair.mean_s
        return work / (work + self.pause.mean_s + down)

    @property
    def producing(self) -> float:
        """Mean power while producing, as a share of the rated power."""
        return float(np.mean(self.curve((np.arange(256) + 0.5) / 256)))
