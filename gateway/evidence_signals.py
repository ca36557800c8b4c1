"""What the rules of load, meter and feed found, in words: the sentence of a finding, for its owner alone."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.words import Words

OVERLOAD: Final = "overload"
MOVED_CLAMP: Final = "moved-clamp"
DEGRADING: Final = "degrading-coverage"
_OFTEN: Final = 2.0  # times a week, below which it is not worth a sentence


def overload(evidence: Mapping[str, Any], words: Words) -> str | None:
    """How full it is, and that it lasts; None when the figures are not those that this program knows."""
    full, overtime, sure = (evidence.get(name) for name in ("occupied", "overtime", "full_certainty"))
    if full is None or overtime is None or sure is None:
        return None
    text = words.count(
        "Occupée sans creux de deux heures ou plus pendant %(full)s des heures ouvertes, "
        "sur %(num)s semaine ordinaire ; %(overtime)s de son usage a lieu hors de ces heures.",
        "Occupée sans creux de deux heures ou plus pendant %(full)s des heures ouvertes, "
        "sur %(num)s semaines ordinaires ; %(overtime)s de son usage a lieu hors de ces heures.",
        evidence.get("ordinary_weeks") or 0,
        full=words.percent(full),
        overtime=words.percent(overtime),
    )
    if not evidence.get("waits") or sure < evidence.get("clear", 1.0):
        return text
    more = words.say(
        "Il est sûr à %(sure)s que cela durera le mois prochain : une machine du réseau pourrait la soulager.",
        sure=words.sureness(sure),
    )
    return f"{text} {more}"


def moved_clamp(evidence: Mapping[str, Any], words: Words) -> str | None:
    """By which factor the levels moved and since when, or that they did not; None likewise."""
    factor, week = evidence.get("factor"), evidence.get("changed_in_week")
    if not evidence.get("moved"):
        return words.say("Les niveaux de puissance n'ont pas bougé ensemble.")
    if factor is None or week is None:
        return None
    return words.say(
        "Tous les niveaux de puissance sont multipliés par %(factor)s depuis la semaine du %(week)s : "
        "vérifiez la pince, puis étalonnez la machine de nouveau.",
        factor=words.number(factor, 2),
        week=words.iso_date(str(week)),
    )


def degrading(evidence: Mapping[str, Any], words: Words) -> str | None:
    """What the feed loses now, and lost before; None likewise."""
    before, recent = evidence.get("lost_before"), evidence.get("lost_recently")
    if before is None or recent is None:
        return None
    text = words.say(
        "La liaison a perdu %(recent)s du temps sur les trois dernières semaines, %(before)s auparavant.",
        recent=words.percent(recent),
        before=words.percent(before),
    )
    more = interrupted(evidence)
    if more is None:
        return text
    told = words.say(
        "Elle est coupée %(recent)s fois par semaine, %(before)s fois auparavant.",
        recent=words.number(more[0], 1),
        before=words.number(more[1], 1),
    )
    return f"{text} {told}"


def interrupted(evidence: Mapping[str, Any]) -> tuple[float, float] | None:
    """How often a week the feed was interrupted lately, and before; None when that is not known, rare, or no more."""
    before, recent = evidence.get("interrupted_before"), evidence.get("interrupted_recently")
    if before is None or recent is None:
        return None
    return (recent, before) if recent > before and recent >= _OFTEN else None
