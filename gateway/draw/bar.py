"""The window bar: days across, morning and afternoon down, the chance written in each cell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.catalog import later
from gateway.publish import Window, chance_class
from gateway.words import DASH, Words

_HALF_AT = 12
_PARTS = ((0, later("matin"), later("mat.")), (1, later("après-midi et soir"), later("ap.-m.")))
_CHANCE = {9: "9", 8: "8", 6: "⅔"}
_OF = {9: 0.9, 8: 0.8, 6: 2 / 3}


@dataclass(frozen=True, slots=True)
class BarCell:
    """One half-day. ``label`` stands in the cell, ``text`` is the whole sentence, ``kind`` are CSS classes."""

    day: date
    label: str
    text: str
    kind: str
    monday: bool


@dataclass(frozen=True, slots=True)
class BarRow:
    """Mornings or afternoons."""

    name: str
    short: str
    cells: tuple[BarCell, ...]


@dataclass(frozen=True, slots=True)
class Half:
    """A half-day with the chance that a job of ``hours`` fits."""

    start: datetime
    end: datetime
    hours: float
    chance: float


def from_windows(windows: Iterable[Window]) -> list[Half]:
    """What others see: the least chance of each class."""
    return [Half(window.start, window.end, window.hours, _OF[window.chance]) for window in windows]


def window_bar(halves: Iterable[Half], first: date, days: int, words: Words, *, exact: bool = False) -> list[BarRow]:
    """Two rows of ``days`` cells from ``first`` on; ``exact`` writes tenths of the chance (owner), else its class.

    A half-day that is not likely free, not offered, and not known look alike.
    """
    best: dict[tuple[date, int], Half] = {}
    for half in halves:
        for place in _places(half, words):
            if place not in best or best[place].chance < half.chance:
                best[place] = half
    dates = [first + timedelta(days=number) for number in range(days)]
    return [
        BarRow(
            words.say(name), words.say(short), tuple(_cell(day, best.get((day, part)), words, exact) for day in dates)
        )
        for part, name, short in _PARTS
    ]


def in_words(half: Half, words: Words, *, near: bool = False) -> str:
    """``mardi 3 mars 13 h - 21 h : 9 fois sur 10``; ``near`` leaves out the month."""
    span = words.near_span(half.start, half.end) if near else words.span(half.start, half.end)
    return words.say("%(span)s : %(chance)s", span=span, chance=words.chance(half.chance))


def _places(half: Half, words: Words) -> list[tuple[date, int]]:
    """The cells that the half-day covers by at least half of itself or half of the cell."""
    start, end = words.local(half.start), words.local(half.end)
    noon = start.replace(hour=_HALF_AT, minute=0, second=0, microsecond=0)
    before, after = max(timedelta(0), min(end, noon) - start), max(timedelta(0), end - max(start, noon))
    enough = min((end - start) / 2, timedelta(hours=5))
    return [(start.date(), part) for part, length in ((0, before), (1, after)) if length >= enough]


def _cell(day: date, half: Half | None, words: Words, exact: bool) -> BarCell:
    chance = chance_class(half.chance) if half is not None else None
    kinds = [f"k{chance}"] if chance else ["k0"] if exact and half is not None else []
    kinds += ["weekend"] * (day.weekday() >= 5 and not chance) + ["monday"] * (day.weekday() == 0)
    label, text = "", ""
    if half is not None and (chance is not None or exact):
        label = words.number(int(10 * half.chance + 1e-9)) if exact else _CHANCE[chance] if chance else DASH
        text = in_words(half, words)
    return BarCell(day, label, text, " ".join(kinds), day.weekday() == 0)
