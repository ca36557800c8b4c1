"""Findings in words: what a rule is called, why it says so, on what figures."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fleet.records import Finding, FindingStatus, Outlook
from gateway import evidence_energy as of_energy
from gateway import evidence_signals as of_signals
from gateway import untold
from gateway.catalog import later
from gateway.words import Words

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
_TODO: Final = {
    of_signals.DEGRADING: later("Vérifiez le réseau et l'alimentation de l'appareil avant qu'il ne se taise."),
}
"""What to do about a flag whose sentence does not say it."""
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


def lacks(finding: Finding) -> str:
    """What a finding that cannot conclude lacks first: without states there are no weeks of them, either."""
    failing = finding.evidence.get("failing")
    return "state" if isinstance(failing, list) and "state" in failing else finding.reason


def lacking(reason: str, words: Words) -> str:
    """What is missing, for a list; a reason this program does not know by its own name."""
    return words.say(_LACKING[reason]) if reason in _LACKING else reason


def why(finding: Finding, words: Words, outlook: Outlook | None = None) -> str:
    """The reason in the page's language: for missing evidence what is missing, else the figures it rests on.

    The shareable hours are the outlook's, as everywhere on the page; the rule's own, of ordinary weeks, are evidence.
    """
    if finding.status is FindingStatus.INSUFFICIENT_EVIDENCE:
        reason = lacks(finding)
        known = untold.told(str(finding.evidence.get("untold", "")), words) if reason == "state" else None
        if known:
            return str(known["text"])
        text = words.say(MISSING[reason]) if reason in MISSING else reason
        return text[:1].upper() + text[1:] + "."
    if finding.rule == UNDERUSE and finding.status is FindingStatus.CLEAR:
        return _used_enough(finding.evidence, words) or finding.reason
    told = _SENTENCES.get(finding.rule)
    text = (told(finding.evidence, words, outlook) if told else None) or finding.reason
    todo = _TODO.get(finding.rule) if finding.status is FindingStatus.FLAGGED else None
    return f"{text} {words.say(todo)}" if todo else text


def _underuse(evidence: Mapping[str, Any], words: Words, outlook: Outlook | None) -> str | None:
    level, threshold, sure = (evidence.get(name) for name in ("level", "threshold", "certainty"))
    if level is None or threshold is None or sure is None:
        return None
    text = words.count(
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaine ordinaire ; "
        "il est sûr à %(sure)s que cela restera sous %(threshold)s le mois prochain.",
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaines ordinaires ; "
        "il est sûr à %(sure)s que cela restera sous %(threshold)s le mois prochain.",
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


def _used_enough(evidence: Mapping[str, Any], words: Words) -> str | None:
    level, threshold = evidence.get("level"), evidence.get("threshold")
    if level is None or threshold is None:
        return None
    return words.count(
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaine ordinaire ; on signale sous %(threshold)s.",
        "Utilisée %(level)s des heures ouvertes sur %(num)s semaines ordinaires ; on signale sous %(threshold)s.",
        evidence.get("ordinary_weeks") or 0,
        level=words.percent(level),
        threshold=words.percent(threshold),
    )


_SENTENCES: Final[dict[str, Callable[[Mapping[str, Any], Words, Outlook | None], str | None]]] = {
    UNDERUSE: _underuse,
    of_energy.IDLE: lambda evidence, words, _: of_energy.idle(evidence, words),
    of_energy.NIGHT: lambda evidence, words, _: of_energy.night(evidence, words),
    of_signals.OVERLOAD: lambda evidence, words, _: of_signals.overload(evidence, words),
    of_signals.MOVED_CLAMP: lambda evidence, words, _: of_signals.moved_clamp(evidence, words),
    of_signals.DEGRADING: lambda evidence, words, _: of_signals.degrading(evidence, words),
}
