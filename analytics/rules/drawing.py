"""What a machine draws while it does not produce: the quantities that the rules of energy are judged on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.energy import a_year
from analytics.history import History
from analytics.level import beta_below
from analytics.rules.context import RuleContext
from analytics.rules.evidence import Evidence
from analytics.rules.frame import rounded
from fleet.records import HOUR_SECONDS
from fleet.states import OFF, STANDBY
from fleet.tariffs import tariff

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WHOLE: Final = 0.99
"""Share of an hour from which it counts as spent in a state, or its power as known."""
LEAST_W: Final = 100.0
LEAST_SHARE: Final = 0.02
"""A machine draws when it takes more than its off level by so many watts, and so much of its power at work."""
TWO_MODES: Final = 1 / 3
"""Its lowest power while it does not produce is its off level only when it is well below what it usually draws then."""


class OffLevel(NamedTuple):
    """Power while off, watts, and how it is known: ``marked``, ``seen``, ``lowest``, or ``assumed`` to be 0."""

    watts: float
    origin: str


@dataclass(frozen=True)
class Drawing:
    """Over the last complete local weeks, at most twelve; columns have a row an hour."""

    context: RuleContext

    @cached_property
    def evidence(self) -> Evidence:
        """The quantities that all rules share."""
        return Evidence(self.context)

    @property
    def history(self) -> History:
        """The hours."""
        return self.evidence.history

    @cached_property
    def metered(self) -> Mask:
        """Hours whose power is known throughout."""
        known = self.history.metered_s
        return np.zeros(len(self.history), np.bool_) if known is None else known >= WHOLE * HOUR_SECONDS

    @cached_property
    def watts(self) -> Floats:
        """Mean power of each metered hour, else NaN."""
        energy = self.history.energy_wh
        found = np.full(len(self.history), np.nan)
        if energy is not None:
            found[self.metered] = energy[self.metered].sum(axis=1)
        return found

    @cached_property
    def resting(self) -> Mask:
        """Hours spent in STANDBY or OFF throughout."""
        seconds = self.history.seconds
        return np.asarray(seconds[:, STANDBY] + seconds[:, OFF] >= WHOLE * HOUR_SECONDS)

    @cached_property
    def metered_share(self) -> float:
        """Share of the resting hours whose power is known; 0 without any."""
        return float(self.metered[self.resting].mean()) if self.resting.any() else 0.0

    @cached_property
    def working_w(self) -> float | None:
        """Median power of hours that were PRODUCING throughout; None without any."""
        whole = self.metered & (self.history.produced >= WHOLE * HOUR_SECONDS)
        return float(np.median(self.watts[whole])) if whole.any() else None

    @cached_property
    def off(self) -> OffLevel:
        """The off level: the owner's mark, else what was seen."""
        marked = self.context.machine.calibration.off_w
        if marked is not None:
            return OffLevel(marked, "marked")
        was_off = self.metered & (self.history.seconds[:, OFF] >= WHOLE * HOUR_SECONDS)
        if was_off.any():
            return OffLevel(float(np.median(self.watts[was_off])), "seen")
        rest = self.watts[self.metered & self.resting]
        low, usual = np.quantile(rest, (0.05, 0.95)) if len(rest) else (0.0, 0.0)
        return OffLevel(float(low), "lowest") if low < TWO_MODES * usual else OffLevel(0.0, "assumed")

    @property
    def drawing_w(self) -> float:
        """Power from which a resting machine draws: well above its off level."""
        return self.off.watts + max(LEAST_W, LEAST_SHARE * (self.working_w or 0.0))

    @cached_property
    def excess_kwh(self) -> Floats:
        """Kilowatt-hours above the off level in each resting hour in which it draws, else 0."""
        drawing = self.metered & self.resting & (np.nan_to_num(self.watts) >= self.drawing_w)
        return np.where(drawing, np.nan_to_num(self.watts) - self.off.watts, 0.0) / 1000.0

    def weekly(self, column: Floats) -> Floats:
        """Sum of the column in each of the weeks, shape (weeks,)."""
        weeks = self.evidence.weekly.week
        place = self.history.clock.week - (weeks[0] if len(weeks) else 0)
        return np.asarray(np.bincount(place, column, len(weeks)), dtype=np.float64)

    def worth(self, kwh_a_week: float) -> dict[str, Any]:
        """The same over a year, in kilowatt-hours, euros and CO2; None where no price is known."""
        price, year = tariff(self.context.member, self.context.network), a_year(kwh_a_week)
        return {
            "kwh_per_week": rounded(kwh_a_week),
            "kwh_per_year": rounded(year),
            "eur_per_year": None if price.eur_per_kwh is None else rounded(year * price.eur_per_kwh),
            "kg_co2e_per_year": None if price.co2_g_per_kwh is None else rounded(year * price.co2_g_per_kwh / 1000),
            "eur_per_kwh": price.eur_per_kwh,
            "eur_origin": price.eur_origin,
        }


def above(weeks: Floats, least: float, ahead: int) -> float:
    """P(mean of the next ``ahead`` weeks >= ``least``): Student's t of the weeks behind, each a draw of its own.

    Their scatter is taken as a tenth of their mean at least: a few weeks alike do not make a certainty.
    """
    count, mean = len(weeks), float(weeks.mean()) if len(weeks) else 0.0
    if count < 2:
        return 0.5
    scatter = max(float(weeks.std(ddof=1)), 0.1 * mean, 1e-9)
    t = (mean - least) / (scatter * (1.0 / count + 1.0 / ahead) ** 0.5)
    freedom = count - 1
    tail = 0.5 * beta_below(freedom / (freedom + t * t), freedom / 2, 0.5)
    return 1.0 - tail if t > 0 else tail


def money(worth: dict[str, Any]) -> str:
    """What it is worth a year, in English; empty when no price is known."""
    euros, co2 = worth["eur_per_year"], worth["kg_co2e_per_year"]
    known = ([] if euros is None else [f"EUR {euros:,.0f}"]) + ([] if co2 is None else [f"{co2:,.0f} kg CO2e"])
    return f" (about {' and '.join(known)} a year)" if known else ""
