"""The collectors side by side: one, or several with members of their own; their figures together, and who floods."""

from collections.abc import Callable, Iterable
from typing import Final

from fleet.topics import COLLECTOR, is_collector
from gateway.catalog import later
from gateway.live import Live
from gateway.messages import Health
from gateway.words import Words

_SHOWN: Final = 5
_PER_SECOND: Final = later("messages/s")
SOON_S: Final = 86_400
"""A spool that is full later is not worth a person's look yet."""
NAMED_SHARE: Final = 0.25
"""Of the readings, from which on the member that they are from is named."""
_TAKES_NOTHING: Final = "the spool takes nothing: "
"""Leads what :mod:`ingest.report` says of a full spool."""
_READINGS: Final = later(
    "Ses relevés passent à part, les autres membres n'attendent pas ; trouvez l'appareil qui publie trop souvent et "
    "corrigez son intervalle."
)
_OTHERS: Final = later(
    "Ce sont des messages refusés, ou d'appareils sans machine : ils passent parmi ceux des autres membres, qui "
    "attendent derrière eux. Trouvez l'appareil et corrigez ce qu'il envoie, ou rattachez-le ; sinon, retirez son "
    "identifiant."
)

_FULL: Final = later(
    "Rétablissez la base, ou cherchez pourquoi elle est lente. Une fois la file pleine, les messages de tous les "
    "membres attendent au courtier, qui en garde bien moins. Avec InfluxDB, un membre qui la remplit peut passer avant "
    "cela à une collecte à part, qui a sa propre file."
)


def names(live: Live) -> list[str]:
    """Every collector that was heard of; the one without a name of its own, too, while there is no other."""
    heard = sorted(name for name in live.health if is_collector(name))
    return heard or [COLLECTOR]


def all_health(live: Live) -> list[Health]:
    """The newest word of each collector."""
    return [live.health[name] for name in names(live) if name in live.health]


def formats(live: Live) -> list[str]:
    """The formats that any collector says it reads."""
    told = ((health.model_extra or {}).get("formats") for health in all_health(live))
    return sorted({str(name) for some in told if isinstance(some, list) for name in some})


def figure(live: Live, name: str, together: Callable[[Iterable[float]], float] = sum) -> float | None:
    """A figure of all collectors that are alive; None when none tells it."""
    told = [value for health in all_health(live) if health.alive and (value := health.figure(name)) is not None]
    return together(told) if told else None


def floods(live: Live, words: Words) -> list[tuple[int, str, str]]:
    """The members that send far more than the others: cost, text, what to do."""
    found = []
    for flood in sorted((one for health in all_health(live) for one in health.loud), key=lambda one: -one.rate):
        text = words.say(
            "%(member)s inonde la collecte : %(rate)s, %(share)s de tous les messages.",
            member=flood.member,
            rate=words.unit(flood.rate, words.say(_PER_SECOND)),
            share=words.percent(flood.share),
        )
        todo = words.say(_READINGS if flood.apart else _OTHERS)
        found.append((45, text, todo))
    return found[:_SHOWN]


def why_full(health: Health) -> list[str]:
    """The collector's own sentences on its full spool, which :func:`filling` tells; none while it is not full."""
    if health.figure("spool_full_in_s") != 0:
        return []
    return [error for error in health.errors if error.startswith(_TAKES_NOTHING)]


def filling(live: Live, words: Words) -> list[tuple[int, str, str]]:
    """The collectors whose spool is full within a day, or is full: cost, text, what to do."""
    found = []
    for health in all_health(live):
        left = health.figure("spool_full_in_s")
        if not health.alive or left is None or left >= SOON_S:
            continue
        if left > 0:
            duration = words.duration(max(left, 60))
            text = words.say(
                "La file d'attente sur disque de %(name)s est pleine dans %(duration)s à ce rythme.",
                name=health.program,
                duration=duration,
            )
        elif reasons := why_full(health):
            text = words.say(
                "La file d'attente sur disque de %(name)s est pleine : %(reason)s.",
                name=health.program,
                reason=reasons[-1].removeprefix(_TAKES_NOTHING),
            )
        else:
            text = words.say("La file d'attente sur disque de %(name)s est pleine.", name=health.program)
        if (most := health.filled_by) is not None and most.share >= NAMED_SHARE:
            text += " " + words.say(
                "%(share)s des relevés sont de %(member)s.", share=words.percent(most.share), member=most.member
            )
        found.append((85, text, words.say(_FULL)))
    return found
