"""The week grid: 7 x 24 local hours, share of weeks busy with coverage, closed hours dimmed."""

from collections.abc import Sequence
from dataclasses import dataclass

HOURS_OF_WEEK = 168
_ENOUGH_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class GridCell:
    """One hour of the week. ``kind`` are its CSS classes, ``share`` of weeks busy or None where never observed."""

    hour: int
    share: float | None
    coverage: float
    closed: bool
    kind: str


def week_grid(
    shares: Sequence[float | None], coverage: Sequence[float], closed: Sequence[bool], step: float = 0.0
) -> list[list[GridCell]]:
    """Seven rows of 24 cells, Monday 00 h first; ``step`` rounds the shares (0.05 for others than the owner).

    Raises:
        ValueError: one of the three has not 168 entries.
    """
    if {len(shares), len(coverage), len(closed)} != {HOURS_OF_WEEK}:
        raise ValueError(f"a week has {HOURS_OF_WEEK} hours, not {len(shares)}, {len(coverage)}, {len(closed)}")
    cells = [
        _cell(index % 24, share, seen, shut, step)
        for index, (share, seen, shut) in enumerate(zip(shares, coverage, closed, strict=True))
    ]
    return [cells[day * 24 : day * 24 + 24] for day in range(7)]


def _cell(hour: int, share: float | None, coverage: float, closed: bool, step: float) -> GridCell:
    if share is not None and step:
        share = round(round(share / step) * step, 4)
    kinds = ["none" if share is None else f"b{round(share * 10)}"]
    if share is not None and coverage < _ENOUGH_COVERAGE:
        kinds.append("thin")
    if closed:
        kinds.append("closed")
    return GridCell(hour, share, coverage, closed, " ".join(kinds))
