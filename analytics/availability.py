"""P(free for the whole window): how likely no second of a window is busy.

The target is the event itself, never a product of hourly probabilities: beta-binomial by hour of week, shrunk to the
machine's own level and its fleet's shape of the week.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.history import History


class FleetProfile:
    """The shape of the week of some machines, for windows of any length.

    What one member's machines teach may enter another member's forecast only by consent: make one profile a member,
    of its own machines. A profile of no machines is flat: every machine then rests on its own level alone.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        self._histories = tuple(histories)

    def shape(self, window_hours: int) -> NDArray[np.float64]:
        """logit(fleet's hour of week) - logit(fleet) of the window's being free, shape (168,)."""
        raise NotImplementedError
