"""What a kilowatt-hour costs: the member's word, then the network's, then a mean of the country, else nothing."""

import math

import pytest

from fleet.network import Holidays, Member, Network, Place
from fleet.tariffs import COUNTRIES, IDLE_EUR_PER_YEAR, IDLE_KWH_PER_YEAR, idle_level, tariff

HERE = Place(commune="Saverne")
FRANCE = Network(name="Essai", place=HERE, timezone="Europe/Paris", holidays=Holidays(country="FR"))
MEMBER = Member(slug="acme", name="Acme", place=HERE)


def test_the_members_price_comes_before_the_networks() -> None:
    network = FRANCE.model_copy(update={"energy_eur_per_kwh": 0.16})
    own = MEMBER.model_copy(update={"energy_eur_per_kwh": 0.11})
    assert tariff(own, network)[:2] == (0.11, "member")
    assert tariff(MEMBER, network)[:2] == (0.16, "network")
    assert tariff(MEMBER.model_copy(update={"energy_eur_per_kwh": 0.0}), network)[:2] == (0.0, "member")


def test_a_country_has_means_with_their_source() -> None:
    found = tariff(MEMBER, FRANCE)
    assert (found.eur_per_kwh, found.eur_origin) == (0.172, "default")
    assert (found.co2_g_per_kwh, found.co2_origin) == (52.0, "default")
    assert "ADEME" in found.co2_source
    assert all(country.eur_source and country.co2_source for country in COUNTRIES.values())


def test_the_networks_factor_carries_the_networks_source() -> None:
    network = FRANCE.model_copy(update={"grid_co2_g_per_kwh": 21.7, "grid_co2_source": "RTE, 2024"})
    assert tariff(MEMBER, network)[2:] == (21.7, "network", "RTE, 2024")


def test_elsewhere_nothing_is_guessed() -> None:
    for holidays in (None, Holidays(country="DE")):
        found = tariff(MEMBER, FRANCE.model_copy(update={"holidays": holidays}))
        assert found == (None, "none", None, "none", "")


def test_the_level_of_idling_is_in_euros_and_follows_the_price() -> None:
    assert idle_level(MEMBER, FRANCE) == pytest.approx((500.0, 500 / 0.172))
    network = FRANCE.model_copy(update={"idle_eur_per_year": 1_200.0, "energy_eur_per_kwh": 0.12})
    assert idle_level(MEMBER, network) == pytest.approx((1_200.0, 10_000.0))
    own = MEMBER.model_copy(update={"idle_eur_per_year": 300.0, "energy_eur_per_kwh": 0.10})
    assert idle_level(own, network) == pytest.approx((300.0, 3_000.0))


def test_without_a_price_the_level_is_in_energy_and_without_cost_there_is_none() -> None:
    elsewhere = FRANCE.model_copy(update={"holidays": None})
    assert idle_level(MEMBER, elsewhere) == (IDLE_EUR_PER_YEAR, IDLE_KWH_PER_YEAR)
    assert idle_level(MEMBER, elsewhere) == pytest.approx(idle_level(MEMBER, FRANCE)), "as at the mean price"
    assert idle_level(MEMBER.model_copy(update={"energy_eur_per_kwh": 0.0}), FRANCE)[1] == math.inf
