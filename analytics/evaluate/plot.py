"""The reliability plot: what share of the windows told to be free with a chance came true, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_SIDE: Final = 320
_LEFT: Final = 56
_TOP: Final = 16
_WIDTH: Final = _LEFT + _SIDE + 24
_HEIGHT: Final = _TOP + _SIDE + 96
_COLOURS: Final = ("#1d4e89", "#b3541e", "#4b7f52", "#7a4b8c")
_LARGEST: Final = 11.0
_TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability_svg(title: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Points of one colour a forecast, their area by the number of windows; on the diagonal they are honest.

    Args:
        tables: name of the forecast -> its reliability table (``analytics.evaluate.scores.reliability``).
    """
    most = max((row["n"] for table in tables.values() for row in table), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif"'
        f' font-size="12"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        *_axes(),
    ]
    for number, (name, table) in enumerate(tables.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += [_line(table, colour), *(_point(row, most, colour) for row in table), *_key(number, name, colour)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes() -> list[str]:
    low, high = _at(0.0, 0.0), _at(1.0, 1.0)
    drawn = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#666"/>',
        f'<line x1="{low[0]}" y1="{low[1]}" x2="{high[0]}" y2="{high[1]}" stroke="#999" stroke-dasharray="4 4"/>',
        f'<text x="{_LEFT + _SIDE / 2}" y="{_TOP + _SIDE + 36}" text-anchor="middle">chance told</text>',
        f'<text transform="translate(14 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">share free</text>',
    ]
    for tick in _TICKS:
        (x, _), (_, y) = _at(tick, 0.0), _at(0.0, tick)
        drawn.append(f'<text x="{x:.0f}" y="{_TOP + _SIDE + 18}" text-anchor="middle">{tick:g}</text>')
        drawn.append(f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{tick:g}</text>')
    return drawn


def _line(table: Sequence[Mapping[str, Any]], colour: str) -> str:
    points = " ".join("{:.1f},{:.1f}".format(*_at(row["forecast"], row["observed"])) for row in table)
    return f'<polyline points="{points}" fill="none" stroke="{colour}"/>'


def _point(row: Mapping[str, Any], most: int, colour: str) -> str:
    x, y = _at(row["forecast"], row["observed"])
    radius = max(2.0, _LARGEST * (row["n"] / most) ** 0.5)
    said = f"told {row['forecast']:.0%}, came true {row['observed']:.0%}, {row['n']} windows"
    where = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
    return f'<circle {where} fill="{colour}" fill-opacity=".6"><title>{said}</title></circle>'


def _key(number: int, name: str, colour: str) -> list[str]:
    y = _TOP + _SIDE + 60 + 18 * number
    return [
        f'<circle cx="{_LEFT + 6}" cy="{y - 4}" r="5" fill="{colour}"/>',
        f'<text x="{_LEFT + 18}" y="{y}">{escape(name)}</text>',
    ]


def _at(x: float, y: float) -> tuple[float, float]:
    return _LEFT + _SIDE * x, _TOP + _SIDE * (1.0 - y)
