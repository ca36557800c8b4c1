"""The energy of many hours at once, by the state in which it was used."""

from dataclasses import dataclass
from typing import Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from analytics.samples import Bools, Codes, Floats, Ints
from analytics.timeline import Channels, lumps
from fleet.records import Energies7
from fleet.states import STATES, UNKNOWN

_STATES: Final = len(STATES)


@dataclass(frozen=True, slots=True)
class Used:
    """Energy of hours.

    Attributes:
        energy_wh: watt-hours in each state, shape (hours, 7).
        told: whether anything is known of the hour's energy, shape (hours,).
        metered_s: seconds at which the power is known, shape (hours,).
    """

    energy_wh: Floats
    told: Bools
    metered_s: Floats

    @classmethod
    def of(
        cls, channels: Channels, hours: Ints, hour: NDArray[np.int64], state: Codes, watts: Floats, length: Ints
    ) -> Self:
        """The energy of ``hours`` (starts, epoch ms) from their pieces: index of the hour, state, watts, ms.

        A piece of which only a share is in use (a published utilisation) counts as its state, PRODUCING, as a whole,
        so that what is used without producing is never overstated.
        """
        known, count = ~np.isnan(watts), len(hours)
        hour, length = hour[known], length[known]
        place = hour * _STATES + state[known]
        used: Floats = np.bincount(place, watts[known] * length / 3_600_000, count * _STATES).astype(np.float64)
        metered: Floats = np.bincount(hour, length, count) / 1000.0
        told = metered > 0
        at, lump = lumps(channels)
        if len(at):
            of_hour = hours.searchsorted(at, side="right") - 1
            np.add.at(used, of_hour * _STATES + UNKNOWN, lump)
            told[of_hour] = True
        return cls(used.reshape(count, _STATES), told, metered)

    def total(self) -> list[float | None]:
        """Watt-hours of each hour; None where nothing is known."""
        sums = self.energy_wh.sum(axis=1).tolist()
        return [value if told else None for value, told in zip(sums, self.told.tolist(), strict=True)]

    def by_state(self) -> list[Energies7 | None]:
        """The same by state."""
        rows = zip(self.energy_wh.tolist(), self.told.tolist(), strict=True)
        return [cast(Energies7, tuple(row)) if told else None for row, told in rows]
