"""Readings that never came, told by the numbers that devices give them; for the operator."""

from datetime import UTC, datetime
from typing import Final

from gateway.messages import Health, Missing
from gateway.words import Words

_SHOWN: Final = 10
_RANGES: Final = 3
_COST: Final = 75
"""Readings are lost until their device sends them again: worse than a lost session, which only may have cost some."""


def reports(ingest: Health | None, words: Words) -> list[tuple[int, str, str]]:
    """What the collector misses, machine by machine: cost, text, what to do."""
    if ingest is None or not ingest.alive:
        return []
    found = []
    for each in ingest.gaps.machines:
        if each.missing and each.ranges:
            found.append((_COST, _lacking(each, words), words.say(
                "Un appareil qui garde ce qu'il a envoyé le renvoie de lui-même ; sinon vérifiez sa liaison "
                "et la persistance du courtier."
            )))  # fmt: skip
        if each.restart is not None:
            text = words.say(
                "%(who)s : la numérotation reprend à %(number)s après %(top)s, sans nouveau « boot ».",
                who=each.who, number=each.restart.number, top=each.restart.top,
            )  # fmt: skip
            todo = words.say("L'appareil doit changer de « boot » à chaque démarrage : l'heure de celui-ci convient.")
            found.append((35, text, todo))
    return found[:_SHOWN] + _others(found[_SHOWN:], words)


def _lacking(each: Missing, words: Words) -> str:
    after, before = min(gap.after for gap in each.ranges), max(gap.before for gap in each.ranges)
    first, last = (datetime.fromtimestamp(at / 1000, UTC) for at in sorted((after, before)))
    when = words.span(first, last)
    spans = [f"{gap.first}" if gap.first == gap.last else f"{gap.first}-{gap.last}" for gap in each.ranges[:_RANGES]]
    numbers = ", ".join(spans) + (", …" if len(each.ranges) > _RANGES else "")
    values = {"who": each.who, "when": when, "numbers": numbers}
    if each.node:
        return words.count(
            "%(who)s : %(num)s message Sparkplug manque, %(when)s (n° %(numbers)s).",
            "%(who)s : %(num)s messages Sparkplug manquent, %(when)s (n° %(numbers)s).",
            each.missing,
            **values,
        )
    return words.count(
        "%(who)s : %(num)s relevé manque, %(when)s (n° %(numbers)s).",
        "%(who)s : %(num)s relevés manquent, %(when)s (n° %(numbers)s).",
        each.missing,
        **values,
    )


def _others(rest: list[tuple[int, str, str]], words: Words) -> list[tuple[int, str, str]]:
    if not rest:
        return []
    text = words.count(
        "Il manque des relevés à %(num)s autre machine.", "Il manque des relevés à %(num)s autres machines.", len(rest)
    )
    return [(_COST - 1, text, words.say("`resilian doctor` le dit machine par machine."))]
