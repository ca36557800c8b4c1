"""What an offer says of its machine: attributes in words, and whether they answer what is asked of them.

An attribute that the owner did not give is never a no: it is to be verified (``docs/consent.md``).
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from fleet.network import Trade
from gateway.catalog import later
from gateway.words import Words

Value = str | float | bool
Size = tuple[float, ...]
"""Length, width and height of a part, metres; the later ones may be left out."""

UNITS: Final = {"m": "m", "mm": "mm", "kg": "kg", "t": "t", "c": "°C", "kw": "kW", "nm": "N·m"}
YES: Final = later("oui")
NO: Final = later("non")
NAMES: Final = {
    "length": later("longueur"),
    "width": later("largeur"),
    "height": later("hauteur"),
    "door": later("porte"),
    "mass": later("masse"),
    "crane": later("pont"),
    "certificates": later("certificats"),
    "paint": later("peinture"),
    "liquide": later("liquide"),
    "poudre": later("poudre"),
    "oven": later("étuve"),
    "atex": later("ATEX"),
    "axes": later("axes"),
    "taper": later("cône"),
    "bar": later("barre"),
    "power": later("puissance"),
    "steel": later("acier"),
    "tonnage": later("tonnage"),
    "temperature": later("température"),
    "atmosphere": later("atmosphère"),
    "air": later("air"),
    "azote": later("azote"),
    "vide": later("vide"),
    "torque": later("couple"),
    "size": later("dimensions"),
}
_CUTTING: Final = frozenset({Trade.MACHINING, Trade.TURNING, Trade.EDM, Trade.GRINDING})
_OF_TRADES: Final = {
    "paint": frozenset({Trade.PAINT}),
    "oven": frozenset({Trade.PAINT}),
    "atex": frozenset({Trade.PAINT}),
    "axes": _CUTTING,
    "taper": _CUTTING,
    "bar": frozenset({Trade.TURNING}),
    "power": frozenset({Trade.LASER, Trade.TEST}),
    "steel": frozenset({Trade.LASER}),
    "tonnage": frozenset({Trade.PRESS, Trade.INJECTION}),
    "temperature": frozenset({Trade.FURNACE}),
    "atmosphere": frozenset({Trade.FURNACE}),
    "torque": frozenset({Trade.TEST}),
}
"""Trades in which an attribute has a meaning; one that is not listed may belong to any."""
_LARGEST: Final = 1e6
_SIGNS: Final = re.compile(r"\s*[x×*]\s*")
_REFUSALS: Final = frozenset({"non", "nein", "no", "0"})


def in_words(attributes: Mapping[str, Value], words: Words) -> str:
    """All attributes as name and value with its unit: ``longueur 1,2 m``."""
    return " · ".join(_told(name, value, words) for name, value in attributes.items())


def name_of(name: str, words: Words) -> str:
    """What an attribute is called: ``étuve`` for ``oven_c``."""
    label, _ = _parts(name)
    return words.say(NAMES[label]) if label in NAMES else label.replace("_", " ")


def label_of(name: str, words: Words) -> str:
    """The name with the unit in which it is counted: ``étuve (°C)``."""
    unit = _parts(name)[1]
    return name_of(name, words) + (f" ({unit})" if unit else "")


def number(text: str) -> float:
    """A positive number as people write it, ``1,5`` too.

    Raises:
        ValueError: it is none, or larger than any machine, distance or length of time here.
    """
    value = float(text.replace("\u202f", "").replace(" ", "").replace(",", "."))
    if not (math.isfinite(value) and 0 < value <= _LARGEST):
        raise ValueError(f"{text[:80]!r} is not a positive number up to {_LARGEST:.0f}")
    return value


def size(text: str) -> Size:
    """``6 x 3 x 2,5`` as metres.

    Raises:
        ValueError: not one to three positive numbers.
    """
    sides = tuple(number(side) for side in _SIGNS.split(text.strip().lower().removesuffix("m")))
    if len(sides) > 3:
        raise ValueError(f"{text!r} has more than three sides")
    return sides


def size_in_words(sides: Size, words: Words) -> str:
    """``6 × 3 × 2,5 m``."""
    return words.unit(sides[-1], "m", 2) if len(sides) == 1 else _joined(sides, words)


def takes(attributes: Mapping[str, Value], sides: Size) -> bool | None:
    """Whether a part of that size fits; lying, it may be turned. None: what is known does not speak against it."""
    floor = sorted(
        (side for side in (_metres(attributes, "length"), _metres(attributes, "width")) if side), reverse=True
    )
    wanted = sorted(sides[:2], reverse=True)
    if len(floor) == 2 and any(room < side for room, side in zip(floor, wanted, strict=False)):
        return False
    if len(floor) == 1 and floor[0] < min(wanted):
        return False
    height = _metres(attributes, "height")
    if len(sides) == 3 and height is not None and height < sides[2]:
        return False
    unknown = (
        len(floor) < 2 or (len(sides) == 3 and height is None) or any(name.startswith("door") for name in attributes)
    )
    return None if unknown else True


def answers(attributes: Mapping[str, Value], trade: Trade, name: str, least: str, words: Words) -> bool | None:
    """Whether the attribute reaches or contains what is asked; None: not given, though it has a meaning in the trade.

    An empty ``least`` asks only that it be given and not be a no.
    """
    value = attributes.get(name)
    if value is None:
        trades = _OF_TRADES.get(_parts(name)[0])
        return None if trades is None or trade in trades else False
    asked = least.strip().casefold()
    if isinstance(value, bool):
        return value is (asked not in _REFUSALS)
    if isinstance(value, str):
        return asked in value.casefold() or asked in _said(value, words).casefold()
    try:
        return not asked or value >= number(asked)
    except ValueError:
        return False


def _joined(sides: Size, words: Words) -> str:
    last = words.unit(sides[-1], "m", 2)
    return " × ".join([*(words.number(side, 2) for side in sides[:-1]), last])


def _metres(attributes: Mapping[str, Value], name: str) -> float | None:
    for suffix, factor in (("m", 1.0), ("mm", 0.001)):
        value = attributes.get(f"{name}_{suffix}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value * factor
    return None


def _parts(name: str) -> tuple[str, str | None]:
    stem, _, suffix = name.rpartition("_")
    unit = UNITS.get(suffix) if stem else None
    return (stem, unit) if unit else (name, None)


def _told(name: str, value: Value, words: Words) -> str:
    said, unit = name_of(name, words), _parts(name)[1]
    if isinstance(value, bool):
        return f"{said} {words.say(YES if value else NO)}"
    if isinstance(value, str):
        return f"{said} {_said(value, words)}"
    return f"{said} {words.unit(value, unit, 2) if unit else words.number(value, 2)}"


def _said(value: str, words: Words) -> str:
    return words.say(NAMES[value]) if value in NAMES else value
