"""Different readings have different keys: the hash in a key is short, so two may share one by chance. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import QUANTITIES, Rows

PER_MS: Final = 1_000_000  # key times are nanoseconds
CONTENT: Final = [*QUANTITIES, "seq", "boot"]


def set_apart(rows: Rows, topic_crc: NDArray[np.uint32], metrics: Mapping[int, str]) -> int:
    """Move readings that share machine and key with an earlier, different one to the next free key; how many.

    The same reading twice keeps its key. Those that come in different batches are not seen here.
    """
    moved = 0
    taken: dict[tuple[int, int], list[Any]] = {}
    for row in _sharing(rows):
        machine, at_ns = int(rows["machine"][row]), int(rows["at_ns"][row])
        content = [*content_of(rows, row, metrics), int(topic_crc[row])]
        place = at_ns
        while taken.setdefault((machine, place), content) != content:
            place = _next_free(rows, machine, place, taken)
        if place != at_ns:
            rows["at_ns"][row] = place
            moved += 1
    return moved


def _sharing(rows: Rows) -> list[int]:
    """Rows whose key time another one has, of whatever machine, in order."""
    twice = shared(rows["at_ns"])
    found: list[int] = np.flatnonzero(np.isin(rows["at_ns"], twice)).tolist() if len(twice) else []
    return found


def _next_free(rows: Rows, machine: int, place: int, taken: Mapping[tuple[int, int], Any]) -> int:
    """The next key time of the millisecond, a ring, that no row of the machine has, or that was given here."""
    while True:
        place = next_key(place)
        if (machine, place) in taken or not ((rows["at_ns"] == place) & (rows["machine"] == machine)).any():
            return place


def shared(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Key times that more than one row has, of whatever machine; mostly none, and then it costs one sort."""
    ordered = np.sort(keys)
    twice: NDArray[np.int64] = ordered[1:][ordered[1:] == ordered[:-1]]
    return twice


def next_key(place: int, step: int = 1) -> int:
    """The key time so many steps on in the same millisecond, nanoseconds; after the last of it comes the first."""
    return place - place % PER_MS + (place + step) % PER_MS


def content_of(rows: Rows, row: int, metrics: Mapping[int, str]) -> list[Any]:
    """What makes a reading of a machine the same as another; NaN, which is not equal to itself, as None.

    Args:
        metrics: row -> further metrics, as of :class:`fleet.batch.ReadingBatch`.
    """
    values = [value if value == value else None for value in rows[CONTENT][row].item()]
    return [*values, metrics.get(row, "")]
