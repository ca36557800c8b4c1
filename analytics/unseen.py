"""How much of a machine's use may be set-up that nothing tells: the upper end of a utilisation.

Power and counters do not tell set-up, and many controllers have no word for it. What they show is the lower end. But
set-up draws more than rest: where the power is known, an idle hour that draws no more than the machine at rest held
none, and in any other all that is not production may have been set-up. Set-up that draws no more stays unseen.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.history import History
from fleet.records import HOUR_SECONDS
from fleet.states import PRODUCING, SETUP, STANDBY

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WHOLE: Final = 0.99
"""Share of an hour from which it counts as spent idle, and of its observed time from which its power is known."""
LEAST_HOURS: Final = 12
"""Hours wholly idle that show what the machine draws at rest; with fewer of them all of its idling may be set-up."""
AT_REST: Final = 0.25
"""Of the wholly idle hours at least this share is rest, whatever the others are."""
ABOVE_REST: Final = 0.1
ABOVE_OF_WORK: Final = 0.02
"""An hour draws more than rest by so much of it, and by so much of the power at work, or is at rest."""


def tells_setup(history: History) -> bool:
    """Whether the machine says when it is set up: it publishes its states, and has told set-up at least once."""
    return history.basis == "state" and bool((history.seconds[:, SETUP] > 0).any())


def most(history: History, mask: Mask) -> float | None:
    """The highest utilisation of the hours of the mask that their power allows, 0..1.

    Args:
        mask: hours that count, shape (n,): the staffed ones, lent ones left out.

    Returns:
        None where set-up is told, and where nothing is known of the power.
    """
    observed = float(history.observed[mask].sum())
    watts = idle_watts(history)
    if observed <= 0 or watts is None or tells_setup(history):
        return None
    idle = history.seconds[:, STANDBY]
    rest = watts[mask & (idle >= WHOLE * HOUR_SECONDS) & ~np.isnan(watts)]
    level = float(np.quantile(rest, AT_REST)) if len(rest) >= LEAST_HOURS else -np.inf
    above = max(ABOVE_REST * max(level, 0.0), ABOVE_OF_WORK * _working_w(history))
    perhaps = mask & ~(watts <= level + above)
    return min(1.0, float(history.used[mask].sum() + idle[perhaps].sum()) / observed)


def idle_watts(history: History) -> Floats | None:
    """Mean power of each hour while it stood by, shape (n,); NaN where that is not known, None where none is."""
    energy, metered = history.energy_wh, history.metered_s
    if energy is None or metered is None:
        return None
    idle = history.seconds[:, STANDBY]
    known = (idle > 0) & (metered >= WHOLE * history.observed)
    return np.where(known, energy[:, STANDBY] * HOUR_SECONDS / np.maximum(idle, 1.0), np.nan)


def _working_w(history: History) -> float:
    """Mean power at work; 0 where that is not known."""
    energy, seconds = history.energy_wh, float(history.produced.sum())
    worked = 0.0 if energy is None else float(np.nansum(energy[:, PRODUCING]))
    return worked * HOUR_SECONDS / seconds if seconds > 0 else 0.0
