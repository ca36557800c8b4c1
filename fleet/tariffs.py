"""What a kilowatt-hour costs a member, in euros and in CO2: as stated, else a default of the network's country.

A default is a national mean, told with its source: good for an order of magnitude, not for a decision about a machine.
Where none is reasonable there is no figure.
"""

import math
from typing import Final, Literal, NamedTuple

from fleet.network import Member, Network

Origin = Literal["member", "network", "default", "none"]


class Tariff(NamedTuple):
    """Cost of a kilowatt-hour.

    Attributes:
        eur_per_kwh: without value-added tax; None when it is not known.
        eur_origin: who says so.
        co2_g_per_kwh: grams of CO2 equivalent; None when it is not known.
        co2_origin: who says so.
        co2_source: what the network named as its source, or that of the default; "" when neither did.
    """

    eur_per_kwh: float | None
    eur_origin: Origin
    co2_g_per_kwh: float | None
    co2_origin: Origin
    co2_source: str


class Country(NamedTuple):
    """Means of a country: EUR and g CO2e a kilowatt-hour, and where they are from."""

    eur_per_kwh: float
    eur_source: str
    co2_g_per_kwh: float
    co2_source: str


COUNTRIES: Final = {
    "FR": Country(
        0.172,  # 172 EUR/MWh: mean of all enterprises; 245 for 0.02 to 0.5 GWh a year, 87 above 150 GWh
        "SDES, prix de l'électricité pour les entreprises, 1er semestre 2024, hors TVA",
        52.0,  # of what is consumed; RTE's 21.7 for 2024 is of what is produced
        "ADEME, Base Empreinte, électricité, mix moyen de consommation 2022",
    ),
}
"""By ISO 3166 code of the network's public holidays."""
IDLE_EUR_PER_YEAR: Final = 500.0
"""An owner acts on a cost of idling that pays for its remedy in two years: EUR 1,000 for a time switch or a shut-down
routine, fitted. An assumption, to be set by who knows better."""
IDLE_KWH_PER_YEAR: Final = IDLE_EUR_PER_YEAR / COUNTRIES["FR"].eur_per_kwh
"""What that buys at the mean price in France: the level where no price is known."""


def tariff(member: Member, network: Network) -> Tariff:
    """What a kilowatt-hour costs the member."""
    country = COUNTRIES.get(network.holidays.country) if network.holidays else None
    eur, eur_origin = _price(member, network, country)
    if network.grid_co2_g_per_kwh is not None:
        return Tariff(eur, eur_origin, network.grid_co2_g_per_kwh, "network", network.grid_co2_source or "")
    if country is None:
        return Tariff(eur, eur_origin, None, "none", "")
    return Tariff(eur, eur_origin, country.co2_g_per_kwh, "default", country.co2_source)


def _price(member: Member, network: Network, country: Country | None) -> tuple[float | None, Origin]:
    if member.energy_eur_per_kwh is not None:
        return member.energy_eur_per_kwh, "member"
    if network.energy_eur_per_kwh is not None:
        return network.energy_eur_per_kwh, "network"
    return (None, "none") if country is None else (country.eur_per_kwh, "default")


def idle_level(member: Member, network: Network) -> tuple[float, float]:
    """From which cost a year, and from which kilowatt-hours a year, idling is worth a word to its owner.

    The second is infinite where electricity costs nothing.
    """
    euros = next(
        (stated for stated in (member.idle_eur_per_year, network.idle_eur_per_year) if stated is not None),
        IDLE_EUR_PER_YEAR,
    )
    price = tariff(member, network).eur_per_kwh
    if price is None:
        return euros, euros / IDLE_EUR_PER_YEAR * IDLE_KWH_PER_YEAR
    return euros, euros / price if price > 0 else math.inf
