"""Findings in words: what a rule is called, why it says so, on what figures."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from fleet.records import Finding, FindingStatus, Outlook
from gateway import evidence_energy as of_energy
from gateway import evidence_signals as of_signals
from gateway.catalog import later
from gateway.words import NOTHING, Words

UNDERUSE: Final = "structural-underuse"
RULES: Final = {
    UNDERUSE: later("sous-utilisation durable"),
    of_energy.IDLE: later("consommation sans produire"),
    of_energy.NIGHT: later("jamais éteinte la nuit"),
    of_signals.OVERLOAD: later("surcharge"),
    of_signals.MOVED_CLAMP: later("pince déplacée ou compteur qui dérive"),
    of_signals.DEGRADING: later("liaison qui se dégrade"),
}
PROPOSING: Final = frozenset({UNDERUSE})
"""Rules whose flag can be answered by an offer; the others' are noted, or wrong."""
MISSING: Final = {
    "calendar": later("les heures ouvertes de cette machine ne sont pas renseignées"),
    "life": later("la machine n'a pas produit depuis trois semaines : confirmez qu'elle fonctionne"),
    "coverage": later("la part du temps observée est trop faible"),
    "history": later("trop peu de semaines de relevés"),
    "power": later("la puissance n'est connue que trop rarement quand la machine ne produit pas"),
    "state": later("les états ne peuvent pas être déduits des relevés : étalonnez la machine"),
    "feed": later("la liaison est muette"),
    "change": later("le comportement a changé depuis moins de trois semaines"),
    "holidays": later("les semaines observées sont dominées par des congés"),
    "capacity": later("il ne reste pas d'heures partageables assez longues"),
    "modes": later("un seul niveau de puissance est connu : une pince déplacée ne se distingue pas d'un autre travail"),
    "certainty": later("l'écart au seuil n'est pas assez sûr"),
}
_LACKING: Final = {
    "calendar": later("les heures ouvertes"),
    "life": later("un signe qu'elle fonctionne encore"),
    "coverage": later("assez de temps observé"),
    "history": later("des semaines de relevés"),
    "power": later("la puissance hors production"),
    "state": later("des états sûrs"),
    "feed": later("une liaison qui parle"),
    "change": later("du recul depuis le dernier changement"),
    "holidays": later("des semaines ordinaires"),
    "capacity": later("des heures partageables assez longues"),
    "modes": later("un second niveau de puissance"),
    "certainty": later("un écart assez sûr"),
}
"""The same in a word or two, for a list."""
_LASTS: Final = later("Probabilité que cela dure")
STATUSES: Final = {
    FindingStatus.FLAGGED: later("signalement"),
    FindingStatus.CLEAR: later("rien à signaler"),
    FindingStatus.INSUFFICIENT_EVIDENCE: later("on ne peut pas conclure"),
}


def rule_name(rule: str, words: Words) -> str:
    """The rule as people call it; a rule this program does not know by its own name."""
    return words.say(RULES[rule]) if rule in RULES else rule.replace("-", " ")


def status_name(status: FindingStatus, words: Words) -> str:
    """What the rule says."""
    return words.say(STATUSES[status])


def lacking(reason: str, words: Words) -> str:
    """What is missing, for a list; a reason this program does not know by its own name."""
    return words.say(_LACKING[reason]) if reason in _LACKING else reason


def why(finding: Finding, words: Words, outlook: Outlook | None = None) -> str:
    """The reason in the page's language: for missing evidence what is missing, else the figures it rests on.

    The shareable hours are the outlook's, as everywhere on the page; the rule's own, of ordinary weeks, are evidence.
    """
    if finding.status is FindingStatus.INSUFFICIENT_EVIDENCE:
        text = words.say(MISSING[finding.reason]) if finding.reason in MISSING else finding.reason
        return text[:1].upper() + text[1:] + "."
    told = _SENTENCES.get(finding.rule)
    return (told(finding.evidence, words, outlook) if told else None) or finding.reason


def rows(finding: Finding, words: Words) -> list[tuple[str, str]]:
    """The evidence as names and values, one line each, in the order of the table; what is not known is left out."""
    return [
        (words.say(_named(key, name, finding.rule)), said)
        for key, (name, tell) in _TOLD.items()
        if finding.evidence.get(key) not in (None, [], "")
        and (said := _told(tell, finding.evidence[key], words)) is not None
    ]


def _named(key: str, name: str, rule: str) -> str:
    return _LASTS if key == "certainty" and rule != UNDERUSE else name


def weeks(finding: Finding, words: Words) -> list[tuple[str, str, str]]:
    """Week, utilisation and coverage that the rule looked at, newest first; none of a rule that looks at others."""
    given = finding.evidence.get("weeks")
    if not isinstance(given, list):
        return []
    return [
        (
            words.iso_date(str(week["monday"])),
            words.percent(week.get("utilisation")),
            words.percent(week.get("coverage")),
        )
        for week in reversed(given)
        if isinstance(week, dict) and {"monday", "utilisation"} <= week.keys()
    ]


def _underuse(evidence: Mapping[str, Any], words: Words, outlook: Outlook | None) -> str | None:
    level, threshold, sure = (evidence.get(name) for name in ("level", "threshold", "certainty"))
    if level is None or threshold is None or sure is None:
        return None
    text = words.count(
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaine ordinaire ; "
        "sûr à %(sure)s que cela reste sous %(threshold)s le mois prochain.",
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaines ordinaires ; "
        "sûr à %(sure)s que cela reste sous %(threshold)s le mois prochain.",
        evidence.get("ordinary_weeks") or 0,
        level=words.percent(level),
        sure=words.sureness(sure),
        threshold=words.percent(threshold),
    )
    if outlook and outlook.shareable_hours_per_week is not None and outlook.shareable_in_weeks is not None:
        weeks, of = outlook.shareable_in_weeks
        text += " " + words.count(
            "Au moins %(hours)s par semaine seraient partageables dans %(num)s semaine sur %(total)s.",
            "Au moins %(hours)s par semaine seraient partageables dans %(num)s semaines sur %(total)s.",
            weeks,
            hours=words.unit(outlook.shareable_hours_per_week, "h"),
            total=of,
        )
    return text


_SENTENCES: Final[dict[str, Callable[[Mapping[str, Any], Words, Outlook | None], str | None]]] = {
    UNDERUSE: _underuse,
    of_energy.IDLE: lambda evidence, words, _: of_energy.idle(evidence, words),
    of_energy.NIGHT: lambda evidence, words, _: of_energy.night(evidence, words),
    of_signals.OVERLOAD: lambda evidence, words, _: of_signals.overload(evidence, words),
    of_signals.MOVED_CLAMP: lambda evidence, words, _: of_signals.moved_clamp(evidence, words),
    of_signals.DEGRADING: lambda evidence, words, _: of_signals.degrading(evidence, words),
}


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
    "hours_per_week": (later("Heures par semaine sans produire, sous tension"), _count),
    "kwh_per_week": (later("Énergie par semaine de plus qu'éteinte"), lambda value, words: words.unit(value, "kWh", 1)),
    "eur_per_year": (later("Coût sur un an"), lambda value, words: words.money(value)),
    "eur_per_kwh": (later("Prix du kWh retenu"), lambda value, words: words.money(value, 3)),
    "least_kwh": (
        later("Énergie par semaine à partir de laquelle on signale"),
        lambda value, words: words.unit(value, "kWh"),
    ),
    "nights": (later("Nuits et fins de semaine qui renseignent"), _count),
    "nights_on": (later("Dont restée sous tension"), _count),
    "often": (later("Signalée au-delà de"), _share),
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
    "trend_certainty": (later("Probabilité que les pertes augmentent de semaine en semaine"), _sure),
    "set": (later("Signalé à partir de"), _share),
    "clear": (later("Levé en dessous de"), _share),
    "ordinary_weeks": (later("Semaines ordinaires observées"), _count),
    "coverage": (later("Part du temps observée"), _share),
    "offered_coverage": (later("Part observée des plages proposées"), _share),
    "shareable_hours_per_week": (later("Capacité partageable retenue par la règle, au moins"), _least),
    "shareable_interval": (later("Intervalle de cette capacité"), _interval),
    "last_produced": (later("Dernière production"), _day),
    "works_confirmed": (later("Fonctionnement confirmé le"), _day),
    "changed_weeks_ago": (later("Semaines depuis le dernier changement"), _count),
    "basis": (later("États déduits de"), lambda value, _: str(value)),
    "model": (later("Modèle d'états"), lambda value, _: str(value)),
    "rule_version": (later("Version de la règle"), lambda value, _: str(value)),
}
