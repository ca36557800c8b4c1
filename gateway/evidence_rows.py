"""The evidence of findings as names and values, and week by week: what a rule looked at, for its owner alone."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from fleet.records import Finding
from gateway import evidence_energy as of_energy
from gateway.catalog import later
from gateway.evidence import MISSING, UNDERUSE
from gateway.evidence_signals import MOVED_CLAMP
from gateway.words import NOTHING, Words

_LASTS: Final = {"certainty": later("Probabilité que cela dure")}
_NAMED: Final[Mapping[str, Mapping[str, str]]] = {
    UNDERUSE: {},
    MOVED_CLAMP: {"set": later("Signalé dès un écart de"), "clear": later("Levé sous un écart de")},
}
"""Names that a value has with one rule alone; the others' scores are probabilities."""
_BASES: Final = {
    "state": later("ce que dit la machine"),
    "counter": later("son compteur"),
    "power": later("sa puissance"),
    "none": later("aucune source"),
}
_MODELS: Final = {
    "calibration": later("vos marques"),
    "modes": later("ses niveaux de puissance"),
    "learned": later("une part de sa plus haute puissance"),
}


def rows(finding: Finding, words: Words) -> list[tuple[str, str]]:
    """The evidence as names and values, one line each, in the order of the table; what is not known is left out."""
    named = _NAMED.get(finding.rule, _LASTS)
    return [
        (words.say(named.get(key, name)), said)
        for key, (name, tell) in _TOLD.items()
        if finding.evidence.get(key) not in (None, [], "")
        and not (key == "model" and finding.evidence.get("basis") != "power")
        and (said := _told(tell, finding.evidence[key], words)) is not None
    ]


def weeks(finding: Finding, words: Words) -> list[tuple[str, str, str]]:
    """Week, utilisation and coverage that the rule looked at, newest first; none of a rule that looks at others.

    The utilisation is "" in every week for a rule that does not look at it.
    """
    given = finding.evidence.get("weeks")
    if not isinstance(given, list):
        return []
    used = any(isinstance(week, dict) and week.get("utilisation") is not None for week in given)
    return [
        (
            words.iso_date(str(week["monday"])),
            words.percent(week.get("utilisation")) if used else "",
            words.percent(week.get("coverage")),
        )
        for week in reversed(given)
        if isinstance(week, dict) and {"monday", "utilisation"} <= week.keys()
    ]


def _told(tell: Callable[[Any, Words], str], value: Any, words: Words) -> str | None:
    """The value in words; None when it is not of the kind this program knows."""
    try:
        return tell(value, words)
    except (TypeError, ValueError, AttributeError, KeyError):
        return None


def _failing(value: Any, words: Words) -> str:
    return ", ".join(words.say(MISSING[name]) if name in MISSING else str(name) for name in value)


def _least(value: Any, words: Words) -> str:
    return words.count(
        "%(hours)s dans %(num)s semaine ordinaire sur %(total)s",
        "%(hours)s dans %(num)s semaines ordinaires sur %(total)s",
        value["weeks"],
        hours=words.unit(value["hours"], "h", 1),
        total=value["of"],
    )


def _interval(value: Any, words: Words) -> str:
    low, high = value
    return words.say("de %(low)s à %(high)s", low=words.unit(low, "h", 1), high=words.unit(high, "h", 1))


def _share(value: Any, words: Words) -> str:
    return words.percent(value, 1)


def _allowed(value: Any, words: Words) -> str:
    if not value:
        raise ValueError("nothing is allowed for")
    return words.percent(value)


def _sure(value: Any, words: Words) -> str:
    return words.sureness(value)


def _day(value: Any, words: Words) -> str:
    return words.date(datetime.fromisoformat(value).date(), "d MMMM y") if value else NOTHING


def _hours(value: Any, words: Words) -> str:
    return words.unit(value, "h")


def _basis(value: Any, words: Words) -> str:
    return words.say(_BASES[value])


def _model(value: Any, words: Words) -> str:
    return words.say(_MODELS[str(value).partition("-")[0]])


def _count(value: Any, words: Words) -> str:
    return words.number(value)


_TOLD: Final[dict[str, tuple[str, Callable[[Any, Words], str]]]] = {
    "failing": (later("Il manque"), _failing),
    "level": (later("Taux d'utilisation estimé"), _share),
    "threshold": (later("Seuil du métier"), _share),
    "unseen_setup": (later("Part de réglage que la puissance ne montre pas, admise jusqu'à"), _allowed),
    "certainty": (later("Probabilité de rester sous le seuil"), _sure),
    "idle_w": (later("Puissance sans produire"), lambda value, words: words.power(value)),
    "off_w": (later("Puissance éteinte"), lambda value, words: words.power(value)),
    "off_from": (later("Puissance éteinte, d'où"), lambda value, words: words.say(of_energy.OFF_LEVELS[value])),
    "working_w": (later("Puissance en production"), lambda value, words: words.power(value)),
    "hours_per_week": (later("Temps par semaine sans produire, sous tension"), _hours),
    "kwh_per_week": (later("Énergie par semaine de plus qu'éteinte"), lambda value, words: words.unit(value, "kWh", 1)),
    "eur_per_year": (later("Coût sur un an"), lambda value, words: words.money(value)),
    "eur_per_kwh": (later("Prix du kWh retenu"), lambda value, words: words.money(value, 3)),
    "least_eur_per_year": (later("Coût par an à partir duquel on signale"), lambda value, words: words.money(value)),
    "least_kwh": (
        later("Énergie par semaine à partir de laquelle on signale"),
        lambda value, words: words.unit(value, "kWh"),
    ),
    "nights": (later("Nuits et fins de semaine qui renseignent"), _count),
    "nights_on": (later("Dont restée sous tension"), _count),
    "often": (later("Signalée au-delà de cette part"), _share),
    "metered": (later("Part de ce temps où la puissance est connue"), _share),
    "occupied": (later("Heures ouvertes sans temps libre de deux heures ou plus"), _share),
    "full": (later("Saturée à partir de"), _share),
    "full_certainty": (later("Probabilité de rester saturée"), _sure),
    "overtime": (later("Part de l'usage hors des heures ouvertes"), _share),
    "weeks_without_gap": (later("Semaines sans aucun temps libre, sur les six dernières"), _count),
    "factor": (later("Facteur des niveaux de puissance"), lambda value, words: words.number(value, 2)),
    "changed_in_week": (later("Semaine du changement"), _day),
    "explained": (later("Heures que ce facteur ramène aux anciens niveaux"), _share),
    "lost_before": (later("Temps perdu auparavant"), _share),
    "lost_recently": (later("Temps perdu sur les trois dernières semaines"), _share),
    "more_lost_certainty": (later("Probabilité que la liaison perde nettement plus"), _sure),
    "more_often_certainty": (later("Probabilité que la liaison soit coupée plus souvent qu'auparavant"), _sure),
    "trend_certainty": (later("Probabilité que les pertes augmentent de semaine en semaine"), _sure),
    "set": (later("Signalé dès une probabilité de"), _share),
    "clear": (later("Levé sous une probabilité de"), _share),
    "ordinary_weeks": (later("Semaines ordinaires observées"), _count),
    "coverage": (later("Part du temps observée"), _share),
    "offered_coverage": (later("Part observée des plages proposées"), _share),
    "shareable_hours_per_week": (later("Capacité partageable retenue par la règle, au moins"), _least),
    "shareable_interval": (later("Intervalle de cette capacité"), _interval),
    "last_produced": (later("Dernière production"), _day),
    "works_confirmed": (later("Fonctionnement confirmé le"), _day),
    "changed_weeks_ago": (later("Semaines depuis le dernier changement"), _count),
    "basis": (later("États connus par"), _basis),
    "model": (later("Seuil de travail d'après"), _model),
    "rule_version": (later("Version de la règle"), lambda value, _: str(value)),
}
