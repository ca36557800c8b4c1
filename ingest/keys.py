"""Different readings have different keys: the hash in a key is short, so two may share one by chance. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import QUANTITIES, Rows

_PER_MS: Final = 1_000_000  # key times are nanoseconds
_CONTENT: Final = [*QUANTITIES, "seq", "boot"]


def set_apart(rows: Rows, topic_crc: NDArray[np.uint32], metrics: Mapping[int, str]) -> int:
    """Move readings that share machine and key with an earlier, different one to the next free key; how many.

    The same reading twice keeps its key. Those that come in different batches are not seen here.
    """
    moved = 0
    taken: dict[tuple[int, int], list[Any]] = {}
    for row in _sharing(rows):
        machine, at_ns = int(rows["machine"][row]), int(rows["at_ns"][row])
        content = _content(rows, row, int(topic_crc[row]), metrics)
        place = at_ns
        while taken.setdefault((machine, place), content) != content:
            place = _next_free(rows, machine, place, taken)
        if place != at_ns:
            rows["at_ns"][row] = place
            moved += 1
    return moved


def _sharing(rows: Rows) -> list[int]:
    """Rows whose key time another one has, of whatever machine, in order; mostly none, and then it costs one sort."""
    ordered = np.sort(rows["at_ns"])
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    found: list[int] = np.flatnonzero(np.isin(rows["at_ns"], twice)).tolist() if len(twice) else []
    return found


def _next_free(rows: Rows, machine: int, place: int, taken: Mapping[tuple[int, int], Any]) -> int:
    """The next key time of the millisecond, a ring, that no row of the machine has, or that was given here."""
    while True:
        place = place - place % _PER_MS + (place + 1) % _PER_MS
        if (machine, place) in taken or not ((rows["at_ns"] == place) & (rows["machine"] == machine)).any():
            return place


def _content(rows: Rows, row: int, topic_crc: int, metrics: Mapping[int, str]) -> list[Any]:
    """What makes a reading the same as another; NaN, which is not equal to itself, as None."""
    values = [value if value == value else None for value in rows[_CONTENT][row].item()]
    return [*values, topic_crc, metrics.get(row, "")]
