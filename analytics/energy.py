"""What a machine used without producing: kilowatt-hours, euros, kg CO2e, and how much of the time was measured."""

import math
from datetime import timedelta
from typing import Final

import numpy as np

from analytics.history import History, utc
from fleet.records import HOUR_SECONDS, EnergyUse
from fleet.states import OFF, SETUP, STANDBY
from fleet.tariffs import Tariff

WEEKS: Final = 4
SPAN_S: Final = WEEKS * 7 * 86_400


def newest_weeks(history: History, now: float, tariff: Tariff) -> EnergyUse | None:
    """The newest four weeks to ``now`` (epoch seconds), or since the machine was first heard."""
    end = math.floor(now / HOUR_SECONDS) * HOUR_SECONDS
    weeks = history.between(end - SPAN_S, end)
    heard = np.flatnonzero(weeks.observed > 0)
    if not len(heard):
        return None
    started = bool((history.between(history.start, weeks.start).observed > 0).any())
    first = weeks.start if started else weeks.start + HOUR_SECONDS * int(heard[0])
    return use(weeks, float(first), float(end), tariff)


def use(history: History, start: float, end: float, tariff: Tariff) -> EnergyUse | None:
    """The energy of a history that covers [start, end), epoch seconds; None when no power was measured in it.

    Idle is STANDBY. SETUP prepares work and stands apart, as does OFF; FAULT and MAINTENANCE are in the total alone,
    and so is what an energy counter tells of gaps in which the state is not known.
    """
    if history.energy_wh is None or history.metered_s is None or not history.metered_s.any() or end <= start:
        return None
    kwh = np.nansum(history.energy_wh, axis=0) / 1000.0
    idle = float(kwh[STANDBY])
    euros, grams = tariff.eur_per_kwh, tariff.co2_g_per_kwh
    return EnergyUse(
        since=utc(start),
        until=utc(end),
        measured=min(1.0, float(history.metered_s.sum()) / (end - start)),
        total_kwh=float(kwh.sum()),
        idle_kwh=idle,
        setup_kwh=float(kwh[SETUP]),
        off_kwh=float(kwh[OFF]),
        off_told=history.basis == "state" or bool((history.seconds[:, OFF] > 0).any()),
        idle_eur=None if euros is None else idle * euros,
        idle_kg_co2e=None if grams is None else idle * grams / 1000.0,
        eur_per_kwh=euros,
        eur_origin=tariff.eur_origin,
        co2_g_per_kwh=grams,
        co2_origin=tariff.co2_origin,
        co2_source=tariff.co2_source,
    )


def a_year(kwh_a_week: float) -> float:
    """Kilowatt-hours of a year of such weeks."""
    return kwh_a_week * (timedelta(days=365.25) / timedelta(weeks=1))
