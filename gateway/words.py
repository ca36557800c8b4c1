"""Figures, times and states as a person reads them: in one language, in the network's time zone, with their unit."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal

from fleet import states
from fleet.network import Mode, Trade
from fleet.trades import TRADES, Language
from gateway.catalog import LOCALES, french, later, translations

NARROW: Final = "\u202f"
DASH: Final = "\u2013"
NOTHING: Final = "\u2014"

_STATE_WORDS: Final = {
    states.PRODUCING: later("en production"),
    states.SETUP: later("en réglage"),
    states.STANDBY: later("en attente, sous tension"),
    states.OFF: later("éteinte"),
    states.FAULT: later("en panne"),
    states.MAINTENANCE: later("en maintenance"),
    states.UNKNOWN: later("inconnu (sans données)"),
}
_LETTERS: Final = {"fr": "PRAÉDM?", "de": "PRBASI?", "en": "PSBOFM?"}
"""One letter a state, in the order of ``fleet.states.STATES``."""
_POWER_WORDS: Final = {states.STANDBY: later("pas en production")}
"""Power alone does not tell standby from off; every other state has one name, whatever it is known by."""
_POWER_STATES: Final = (states.PRODUCING, states.STANDBY, states.UNKNOWN)
_MODES: Final = {
    Mode.TOLL: later("travail à façon"),
    Mode.WITH_OPERATOR: later("mise à disposition avec opérateur"),
    Mode.WITHOUT_OPERATOR: later("mise à disposition sans opérateur"),
}
_CHANCES: Final = ((0.9, 9, 10), (0.8, 8, 10), (2 / 3, 2, 3), (0.5, 1, 2))


@dataclass(frozen=True, slots=True)
class Words:
    """How one page speaks. ``zone`` is the network's; no method shows UTC."""

    language: Language
    zone: ZoneInfo

    @property
    def locale(self) -> str:
        """Babel's name of the locale."""
        return LOCALES[self.language]

    def say(self, message: str, **values: object) -> str:
        """The message in this language, ``%(name)s`` filled in when values are given."""
        text: str = translations(self.language).gettext(message)
        return text % values if values else text

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """The singular or the plural form; ``%(num)s`` is the number."""
        text: str = translations(self.language).ngettext(one, many, number)
        return text % {"num": self.number(number), **values}

    def number(self, value: float | None, digits: int = 0) -> str:
        """A decimal number with at most ``digits`` decimals; a dash for None."""
        if value is None or not math.isfinite(value):
            return NOTHING
        return _decimal(value, digits, self.locale)

    def unit(self, value: float | None, unit: str, digits: int = 0) -> str:
        """A number and its unit, never torn apart at the end of a line."""
        return NOTHING if value is None else f"{self.number(value, digits)}{NARROW}{unit}"

    def money(self, euros: float, digits: int | None = None) -> str:
        """Euros; whole ones from ten on unless ``digits`` says more."""
        number = self.number(euros, (1 if abs(euros) < 10 else 0) if digits is None else digits)
        return f"€{number}" if self.language == "en" else f"{number}{NARROW}€"

    def percent(self, share: float | None, digits: int = 0) -> str:
        """A share of 1 as per cent."""
        if share is None:
            return NOTHING
        return f"{self.number(100 * share, digits)}{'' if self.language == 'en' else NARROW}%"

    def sureness(self, share: float | None) -> str:
        """A probability as per cent that never claims to be certain: ``plus de 99 %``."""
        if share is None:
            return NOTHING
        if round(100 * share) >= 100:
            return self.say("plus de %(share)s", share=self.percent(0.99))
        if round(100 * share) <= 0:
            return self.say("moins de %(share)s", share=self.percent(0.01))
        return self.percent(share)

    def power(self, watts: float | None) -> str:
        """Watts, from 1,000 W on as kilowatts."""
        if watts is None or not math.isfinite(watts):
            return NOTHING
        return self.unit(watts / 1000, "kW", 1) if abs(watts) >= 1000 else self.unit(watts, "W")

    def local(self, moment: datetime) -> datetime:
        """The moment on the network's clock; a naive one is taken as UTC."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(self.zone)

    def clock(self, moment: datetime) -> str:
        """Time of day: ``13 h``, ``13 h 05``; German ``13:05``; British ``13:05``."""
        local = self.local(moment)
        if self.language != "fr":
            return f"{local:%H:%M}"
        return f"{local.hour}{NARROW}h" + (f"{NARROW}{local:%M}" if local.minute else "")

    def date(self, day: date, form: str = "EEEE d MMMM") -> str:
        """A day by its name: ``mardi 3 mars``."""
        return _date(day, form, self.locale)

    def iso_date(self, day: str) -> str:
        """An ISO date as ``3 mars 2026``."""
        return self.date(date.fromisoformat(day), "d MMMM y")

    @property
    def colon(self) -> str:
        """A colon with the space that goes before it."""
        return "\u00a0:" if self.language == "fr" else ":"

    def hour(self, hour: int) -> str:
        """A full hour of the day: ``13 h``, ``13:00``."""
        return f"{hour}{NARROW}h" if self.language == "fr" else f"{hour:02}:00"

    def moment(self, moment: datetime | None) -> str:
        """Day and time: ``mardi 3 mars, 13 h 05``."""
        if moment is None:
            return NOTHING
        return f"{self.date(self.local(moment).date())}, {self.clock(moment)}"

    def span(self, start: datetime, end: datetime, form: str = "EEEE d MMMM") -> str:
        """A window in words: ``mardi 3 mars 13 h - 21 h``; the end names its day when it is another one."""
        first, last = self.local(start), self.local(end)
        until = self.clock(end) if last.hour or last.minute else self.hour(24)
        before = (last - timedelta(microseconds=1)).date()
        if first.date() != before:
            until = f"{self.date(before, 'EEEE')} {until}"
        return f"{self.date(first.date(), form)} {self.clock(start)} {DASH} {until}".replace("\u00a0", NARROW)

    def near_span(self, start: datetime, end: datetime) -> str:
        """A window of the coming weeks, short: ``mardi 3, 13 h - 21 h``."""
        first, last = self.local(start), self.local(end)
        mark = {"fr": "er" if first.day == 1 else "", "de": ".", "en": ""}[self.language]
        comma = "," if self.language == "de" else ""
        until = self.clock(end) if last.hour or last.minute else self.hour(24)
        before = (last - timedelta(microseconds=1)).date()
        if first.date() != before:
            until = f"{self.date(before, 'EEEE')} {until}"
        day = f"{self.date(first.date(), 'EEEE')}{comma} {first.day}{mark}"
        return f"{day}, {self.clock(start)} {DASH} {until}"

    def ago(self, moment: datetime | None, now: datetime) -> str:
        """How old: ``il y a 12 secondes``."""
        if moment is None:
            return NOTHING
        age = max(timedelta(0), now - moment)
        return format_timedelta(-age, add_direction=True, granularity="second", threshold=1.5, locale=self.locale)

    def duration(self, seconds: float) -> str:
        """A length of time: ``3 h 20 min``, ``12 min``."""
        minutes = round(seconds / 60)
        hours, rest = divmod(minutes, 60)
        parts = [f"{self.number(hours)}{NARROW}h"] * bool(hours) + [f"{rest}{NARROW}min"] * bool(rest or not hours)
        return NARROW.join(parts)

    def state(self, code: int, basis: str = "state") -> str:
        """The state by its name; by power alone whether the machine produces, and "off" by its owner's marks."""
        word = _POWER_WORDS.get(code) if basis == "power" else None
        return self.say(word or _STATE_WORDS[code])

    def listed(self, items: Sequence[str]) -> str:
        """``a, b et c``."""
        if len(items) < 2:
            return "".join(items)
        return self.say("%(items)s et %(last)s", items=", ".join(items[:-1]), last=items[-1])

    def order(self, text: str) -> str:
        """What a list is sorted by: accents and capitals count for nothing."""
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()

    def either(self, code: int, bases: Iterable[str]) -> str:
        """The state by each name that a page gives it: ``éteinte / pas en production``."""
        return " / ".join(dict.fromkeys(self.state(code, basis) for basis in bases))

    def letter(self, code: int) -> str:
        """One letter for the state, explained in every legend."""
        return _LETTERS[self.language][code]

    def trade(self, trade: Trade) -> str:
        """The trade's name, with a capital."""
        name = TRADES[trade].name(self.language)
        name = french(name) if self.language == "fr" else name
        return name[0].upper() + name[1:]

    def trade_inside(self, trade: Trade) -> str:
        """The same inside a sentence: without a capital, but for German, whose nouns have one anywhere."""
        return self.trade(trade) if self.language == "de" else self.trade(trade).lower()

    def mode(self, mode: Mode) -> str:
        """How a machine is lent."""
        return self.say(_MODES[mode])

    def chance(self, probability: float) -> str:
        """A probability in words people use, never rounded up: ``9 fois sur 10``."""
        for least, of, total in _CHANCES:
            if probability >= least - 1e-9:
                return self.say("%(of)s fois sur %(total)s", of=of, total=total)
        return self.say("moins d'une fois sur deux")


def states_of(basis: str, seen: Iterable[int] = ()) -> list[int]:
    """Codes that a legend explains: all, or by power alone those it can tell and whatever else was ``seen``."""
    return sorted({*_POWER_STATES, *seen}) if basis == "power" else list(range(len(states.STATES)))


@lru_cache(maxsize=8192)
def _decimal(value: float, digits: int, locale: str) -> str:
    return format_decimal(value, format="#,##0" + ("." + "#" * digits if digits else ""), locale=locale)


@lru_cache(maxsize=4096)
def _date(day: date, form: str, locale: str) -> str:
    if locale.startswith("de"):
        form = re.sub(r"(E+) (d)", r"\1, \2", form).replace("d MMMM", "d. MMMM")
    text = format_date(day, form, locale=locale)
    if locale.startswith("fr"):
        return re.sub(r"(^|\s)1(\s+\w)", r"\g<1>1er\2", text)
    return text


@lru_cache(maxsize=32)
def words(language: Language, zone: str) -> Words:
    """The words of a language in a time zone of the IANA database."""
    return Words(language, ZoneInfo(zone))
