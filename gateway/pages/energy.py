"""What a machine used without producing, in words; on its owner's page alone."""

from typing import Any, Final

from fleet.records import EnergyUse, Outlook
from gateway.catalog import later
from gateway.words import NARROW, Words

_WEEKS_S: Final = 27.5 * 86_400
_WITHOUT_OFF: Final = later("Sous tension sans produire, réglage non compris.")
_WITH_OFF: Final = later(
    "Pas en production : ce qu'elle prend éteinte y est compris, sa puissance seule ne l'en distingue pas."
)
_MEASURED: Final = later("Puissance connue %(share)s du temps ; rien n'est supposé pour le reste.")
_PRICES: Final = {
    "member": later("%(price)s le kWh, d'après votre fiche de membre."),
    "network": later("%(price)s le kWh, d'après le réseau."),
    "default": later(
        "%(price)s le kWh : moyenne payée par les entreprises en France au 1er semestre 2024, hors TVA (SDES) ; "
        "votre prix se règle dans votre fiche de membre."
    ),
}
_FACTORS: Final = {
    "network": later("%(grams)s par kWh, d'après le réseau."),
    "default": later("%(grams)s par kWh : électricité consommée en France, moyenne de 2022 (ADEME, Base Empreinte)."),
}


def told(outlook: Outlook | None, words: Words) -> dict[str, Any] | None:
    """The sentence, what it covers and what it rests on; None when no power was measured."""
    used = outlook.energy if outlook else None
    if used is None:
        return None
    return {
        "sentence": _sentence(used, words),
        "what": words.say(_WITHOUT_OFF if used.off_told else _WITH_OFF),
        "measured": words.say(_MEASURED, share=words.percent(used.measured)),
        "rows": _rows(used, words),
        "sources": _sources(used, words),
    }


def amount(value: float, unit: str, words: Words) -> str:
    """A quantity of energy, money or CO2, with a decimal where it is small."""
    return words.unit(value, unit, 1 if abs(value) < 10 else 0)


def costs(euros: float | None, kg_co2e: float | None, words: Words) -> str:
    """``74 € et 21 kg CO2e``, of what is known; empty when nothing is."""
    known = [] if euros is None else [words.money(euros)]
    return words.listed([*known, *([] if kg_co2e is None else [amount(kg_co2e, f"kg{NARROW}CO₂e", words)])])


def _sentence(used: EnergyUse, words: Words) -> str:
    seconds = (used.until - used.since).total_seconds()
    if seconds >= _WEEKS_S:
        span = words.count("%(num)s semaine", "%(num)s semaines", round(seconds / 604_800))
    else:
        span = words.count("%(num)s jour", "%(num)s jours", max(1, round(seconds / 86_400)))
    kwh, cost = amount(used.idle_kwh, "kWh", words), costs(used.idle_eur, used.idle_kg_co2e, words)
    if not cost:
        return words.say("%(kwh)s en %(span)s.", kwh=kwh, span=span)
    return words.say("%(kwh)s en %(span)s, environ %(costs)s.", kwh=kwh, span=span, costs=cost)


def _rows(used: EnergyUse, words: Words) -> list[tuple[str, str]]:
    rows = [(words.say("En tout"), used.total_kwh)]
    if used.setup_kwh > 0:
        rows.append((words.say("Dont réglage"), used.setup_kwh))
    if used.off_told and used.off_kwh > 0:
        rows.append((words.say("Dont éteinte"), used.off_kwh))
    return [(name, amount(kwh, "kWh", words)) for name, kwh in rows]


def _sources(used: EnergyUse, words: Words) -> list[str]:
    found = []
    if used.eur_per_kwh is not None:
        found.append(words.say(_PRICES[used.eur_origin], price=words.money(used.eur_per_kwh, 3)))
    if used.co2_g_per_kwh is not None:
        grams = words.unit(used.co2_g_per_kwh, f"g{NARROW}CO₂e", 1)
        source = f" ({used.co2_source})" if used.co2_origin == "network" and used.co2_source else ""
        found.append(words.say(_FACTORS[used.co2_origin], grams=grams) + source)
    return found
