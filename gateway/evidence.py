"""Findings in words: what a rule is called, why it says so, on what figures."""

from typing import Any, Final

from fleet.records import Finding, FindingStatus
from gateway.catalog import later
from gateway.words import Words

RULES: Final = {"structural-underuse": later("sous-utilisation durable")}
MISSING: Final = {
    "calendar": later("les heures ouvertes de cette machine ne sont pas renseignées"),
    "life": later("la machine n'a pas produit depuis trois semaines : confirmez qu'elle fonctionne"),
    "coverage": later("la part du temps observée est trop faible"),
    "history": later("moins de six semaines de relevés"),
    "state": later("les états ne peuvent pas être déduits des relevés : étalonnez la machine"),
    "feed": later("la liaison est muette"),
    "change": later("le comportement a changé depuis moins de trois semaines"),
    "holidays": later("les semaines observées sont dominées par des congés"),
    "capacity": later("il ne reste pas d'heures partageables assez longues"),
    "certainty": later("l'écart au seuil n'est pas assez sûr"),
}
STATUSES: Final = {
    FindingStatus.FLAGGED: later("signalement"),
    FindingStatus.CLEAR: later("rien à signaler"),
    FindingStatus.INSUFFICIENT_EVIDENCE: later("on ne peut pas conclure"),
}
_SHARES: Final = ("utilisation", "threshold", "coverage", "probability", "level", "share", "tau")
"""Words in the names of figures that are shares of 1."""


def rule_name(rule: str, words: Words) -> str:
    """The rule as people call it; a rule this program does not know by its own name."""
    return words.say(RULES[rule]) if rule in RULES else rule.replace("-", " ")


def status_name(status: FindingStatus, words: Words) -> str:
    """What the rule says."""
    return words.say(STATUSES[status])


def why(finding: Finding, words: Words) -> str:
    """The reason in the page's language: for missing evidence what is missing, else the figures it rests on."""
    if finding.status is FindingStatus.INSUFFICIENT_EVIDENCE:
        return words.say(MISSING[finding.reason]) if finding.reason in MISSING else finding.reason
    return finding.reason


def rows(finding: Finding, words: Words) -> list[tuple[str, str]]:
    """The evidence as names and values, one line each; inner tables are written out."""
    return [(name.replace("_", " "), _value(name, value, words)) for name, value in finding.evidence.items()]


def _value(name: str, value: Any, words: Words) -> str:
    if isinstance(value, bool):
        return words.say("oui") if value else words.say("non")
    if isinstance(value, int | float):
        return (
            words.percent(value, 1)
            if 0 <= value <= 1 and any(word in name for word in _SHARES)
            else words.number(value, 3)
        )
    if isinstance(value, list):
        return ", ".join(_value(name, item, words) for item in value)
    if isinstance(value, dict):
        return " ; ".join(f"{key}: {_value(str(key), item, words)}" for key, item in value.items())
    return str(value) if value is not None else "—"
