"""What the rules of energy found, in words: the sentence of a finding and its evidence, for its owner alone."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.catalog import later
from gateway.pages.energy import amount, costs
from gateway.words import Words

IDLE: Final = "idle-but-drawing"
NIGHT: Final = "never-off-at-night"
OFF_LEVELS: Final = {
    "marked": later("d'après votre marque"),
    "seen": later("mesurée quand elle est éteinte"),
    "lowest": later("la plus basse mesurée hors production"),
    "assumed": later("inconnue, prise pour zéro"),
}


def idle(evidence: Mapping[str, Any], words: Words) -> str | None:
    """``Elle consomme 3 kW sans produire...``; None when the figures are not those that this program knows."""
    watts, hours, kwh = (evidence.get(name) for name in ("idle_w", "hours_per_week", "kwh_per_week"))
    if kwh is None or hours is None:
        return None
    if not kwh or watts is None:
        return words.say("Sans produire, elle ne consomme pas plus qu'éteinte.")
    text = words.say(
        "Elle consomme %(power)s sans produire, %(hours)s par semaine : %(kwh)s de plus qu'éteinte.",
        power=words.power(watts), hours=words.unit(hours, "h"), kwh=amount(kwh, "kWh", words),
    )  # fmt: skip
    return text + a_year(evidence, words)


def night(evidence: Mapping[str, Any], words: Words) -> str | None:
    """``Elle reste sous tension 46 fois sur 48...``; None likewise."""
    on, nights, kwh = (evidence.get(name) for name in ("nights_on", "nights", "kwh_per_week"))
    if on is None or nights is None:
        return None
    text = words.say(
        "Hors des heures ouvertes, elle reste sous tension %(on)s fois sur %(nights)s (nuits et fins de semaine).",
        on=words.number(on), nights=words.number(nights),
    )  # fmt: skip
    if not kwh:
        return text
    more = words.say("Soit %(kwh)s par semaine de plus qu'éteinte.", kwh=amount(kwh, "kWh", words))
    return f"{text} {more}{a_year(evidence, words)}"


def a_year(evidence: Mapping[str, Any], words: Words) -> str:
    """Cost and CO2 of a year, of what is known."""
    known = costs(evidence.get("eur_per_year"), evidence.get("kg_co2e_per_year"), words)
    return " " + words.say("Sur un an : environ %(costs)s.", costs=known) if known else ""
