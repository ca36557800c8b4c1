"""The strip: one machine's states along time as SVG, UNKNOWN hatched, now marked, power curve under it.

Positions are percentages, so that one drawing serves a telephone and a wide screen without bending letters.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from fleet import states
from gateway.draw.runs import Run
from gateway.words import Words

FILLS: Final = {
    states.PRODUCING: 'class="s0"',
    states.SETUP: 'fill="url(#pat-setup)"',
    states.STANDBY: 'fill="url(#pat-standby)"',
    states.OFF: 'class="s3"',
    states.FAULT: 'fill="url(#pat-fault)"',
    states.MAINTENANCE: 'fill="url(#pat-maintenance)"',
    states.UNKNOWN: 'fill="url(#pat-unknown)"',
}
_BAND: Final = 34
_CURVE: Final = 46
_AXIS: Final = 20
_NARROW_ENDS_AT: Final = 66.0
_LETTER_AT: Final = 4.0
_LETTER_ON_WIDE_AT: Final = 1.8


def strip(
    runs: Sequence[Run],
    start: float,
    end: float,
    *,
    words: Words,
    title: str,
    power: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    basis: str = "state",
    compact: bool = False,
    alive_s: float = 0.0,
) -> Markup:
    """The drawing from ``start`` to ``end`` (epoch seconds), where ``end`` is now.

    ``power`` is times (epoch seconds) and watts, drawn below the band; ``basis`` is what the states rest
    on; ``compact`` leaves out axis and letters; ``alive_s`` is how long a reading counts: nothing is drawn beyond.
    """
    curve = power is not None and len(power[0]) > 1 and not compact
    height = _BAND + (_CURVE if curve else 0)
    parts = [f'<rect x="0" y="0" width="100%" height="{_BAND}" fill="url(#pat-unknown)"/>']
    parts += [_band(run, start, end, words, basis, letters=not compact) for run in runs]
    if curve and power is not None:
        parts.append(_power(envelope(*power, start, end, alive_s), start, end, words))
    parts.append(f'<rect class="frame" x="0.5" y="0.5" width="99.8%" height="{_BAND - 1}"/>')
    if not compact:
        parts.append(_axis(start, end, height, words))
    total = height + (0 if compact else _AXIS)
    return Markup('<svg class="strip" role="img" height="{}" aria-label="{}">{}</svg>').format(
        total,
        title,
        Markup("".join(parts)),  # noqa: S704 - every piece is a number or escaped where it is made
    )


def swatch(code: int, words: Words) -> Markup:
    """A small sample of a state's hue, pattern and letter."""
    return Markup(  # noqa: S704 - letters and fills are our own
        f'<svg width="22" height="18" aria-hidden="true"><rect width="22" height="18" {FILLS[code]}/>'
        f'<rect class="swatch-frame" x=".5" y=".5" width="21" height="17"/>'
        f'<text class="swatch-letter ink{code}" x="11" y="13.5">{escape(words.letter(code))}</text></svg>'
    )


def _band(run: Run, start: float, end: float, words: Words, basis: str, *, letters: bool) -> str:
    left = 100 * (run.start - start) / (end - start)
    width = 100 * (run.end - run.start) / (end - start)
    hint = f"{words.state(run.state, basis)}, {words.duration(run.end - run.start)}"
    rect = (
        f'<rect x="{left:.2f}%" y="0" width="{width:.2f}%" height="{_BAND}" {FILLS[run.state]}>'
        f"<title>{escape(hint)}</title></rect>"
    )
    if not letters or width < _LETTER_ON_WIDE_AT:
        return rect
    size = "" if width >= _LETTER_AT else " l2"
    return (
        f'{rect}<text class="letter ink{run.state}{size}" x="{left + width / 2:.2f}%" y="{_BAND / 2 + 4}" '
        f'aria-hidden="true">{escape(words.letter(run.state))}</text>'
    )


def _power(curve: tuple[NDArray[np.float64], NDArray[np.float64]], start: float, end: float, words: Words) -> str:
    times, watts = curve
    if not len(times):
        return ""
    top = max(float(np.nanmax(watts)), 1.0)
    xs = 1000 * (times - start) / (end - start)
    ys = 100 - 92 * np.clip(watts, 0, None) / top
    pen, line = "M", []
    for x, y, w in zip(xs, ys, watts, strict=True):
        if np.isnan(w):
            pen = "M"
            continue
        line.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return (
        f'<svg x="0" y="{_BAND + 4}" width="100%" height="{_CURVE - 4}" viewBox="0 0 1000 100" '
        f'preserveAspectRatio="none"><path class="curve" d="{"".join(line)}"/></svg>'
        f'<line class="base" x1="0" x2="100%" y1="{_BAND + _CURVE - 0.5}" y2="{_BAND + _CURVE - 0.5}"/>'
        f'<text class="axis" x="3" y="{_BAND + 14}">{escape(words.power(top))}</text>'
    )


def envelope(
    times: NDArray[np.float64],
    watts: NDArray[np.float64],
    start: float,
    end: float,
    alive_s: float = 0.0,
    columns: int = 480,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means in ``columns`` equal slices of time, NaN in gaps longer than six usual distances and than ``alive_s``."""
    kept = (times >= start) & (times < end) & np.isfinite(watts)
    times, watts = times[kept], watts[kept]
    if len(times) < 2:
        return times, watts
    slot = ((times - start) * columns / (end - start)).astype(np.int64)
    first = np.unique(slot, return_index=True)[1]
    counts = np.diff(np.append(first, len(times)))
    mean_t = np.add.reduceat(times, first) / counts
    mean_w = np.add.reduceat(watts, first) / counts
    usual = float(np.median(np.diff(times)))
    widest = max(6 * usual, 3 * (end - start) / columns, alive_s)
    gaps = np.flatnonzero(np.diff(mean_t) > widest) + 1
    return np.insert(mean_t, gaps, mean_t[gaps]), np.insert(mean_w, gaps, np.nan)


def _axis(start: float, end: float, height: int, words: Words) -> str:
    parts = []
    for at, label, minor in _ticks(start, end, words):
        x = 100 * (at - start) / (end - start)
        kind = " minor" if minor or x > _NARROW_ENDS_AT else ""
        parts.append(f'<line class="tick{kind}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{height}" y2="{height + 4}"/>')
        if x > 3:
            parts.append(
                f'<text class="axis{kind}" x="{x:.2f}%" y="{height + 16}" text-anchor="middle">{escape(label)}</text>'
            )
    now = escape(words.say("maintenant"))
    parts.append(f'<line class="now" x1="99.9%" x2="99.9%" y1="-3" y2="{height + 3}"/>')
    parts.append(f'<text class="nowtext" x="100%" y="{height + 16}" text-anchor="end">{now}</text>')
    return "".join(parts)


def _ticks(start: float, end: float, words: Words) -> list[tuple[float, str, bool]]:
    """Local hours for a day, midnights for a week; every second one is minor and gives way on a narrow screen."""
    first = datetime.fromtimestamp(start, words.zone).replace(minute=0, second=0, microsecond=0)
    ticks: list[tuple[float, str, bool]] = []
    for hours in range(int((end - start) // 3600) + 2):
        local = (first.astimezone(UTC) + timedelta(hours=hours)).astimezone(words.zone)
        at = local.timestamp()
        if not start < at < end:
            continue
        if end - start <= 36 * 3600:
            if local.hour % 3 == 0:
                ticks.append((at, words.clock(local), local.hour % 6 != 0))
        elif local.hour == 0:
            ticks.append((at, words.date(local.date(), "EEE d"), len(ticks) % 2 == 1))
    return [tick for tick in ticks if (tick[0] - start) / (end - start) <= 0.88]  # beyond stands "now"
