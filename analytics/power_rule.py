"""What can be said of a machine's power: the rule that is in force since a time, or why there is none."""

from dataclasses import dataclass
from typing import Final, Literal

LEVEL_SHARE: Final = 0.15
"""Default threshold, as a share of the 95th percentile of power."""
HYSTERESIS: Final = 0.7
"""The machine stops working below this share of the threshold at which it starts."""

Source = Literal["calibration", "modes", "learned", "none"]
Reason = Literal["", "no-power", "few", "one-level", "close", "seldom", "restless", "counter", "ambiguous", "idle"]
"""Why power says nothing; each has its sentence in ``docs/analytics.md`` and in the doctor."""


@dataclass(frozen=True, slots=True)
class PowerRule:
    """Since when which thresholds are in force, in watts; None: power says nothing of the state, for the reason given.

    Attributes:
        since_ms: epoch ms; 0: from the beginning.
        on_w, off_w: power at which work starts, below which it ends.
        idle_w: power below which the machine is OFF; 0 when that is not told apart.
        source: where they come from.
        reason: why there are none.
        levels_w: middle of each fitted level; those from ``work_w`` on are work.
        work_w: the lowest level of work.
        pulse_ms: power that was at work this long ago still means work: the machine draws in bursts, or its meter is so
            coarse that it shows the power as bursts. 0 for one that stays at work from one sample to the next.
    """

    since_ms: int = 0
    on_w: float | None = None
    off_w: float | None = None
    idle_w: float = 0.0
    source: Source = "none"
    reason: Reason = "no-power"
    levels_w: tuple[float, ...] = ()
    work_w: float | None = None
    pulse_ms: int = 0
