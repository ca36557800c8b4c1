"""Wake-ups: what readings became durable in the store, on ``net/v1/touched/<member>``."""

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import NO_INT, MachineKey, ReadingBatch
from fleet.clock import now_ms
from fleet.states import NO_STATE, STATES
from fleet.topics import TOUCHED
from ingest.trailing import Trailing

EVERY_S: Final = 0.2  # 5 a second
_VALUES: Final = ("state", "power_w", "utilisation", "counter")
_MACHINES_AT_ONCE: Final = 500


class Touched:
    """Gathers what was stored and publishes it, member by member, at most five times a second."""

    def __init__(self, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._pending: dict[str, dict[str, dict[str, Any]]] = {}
        self._trailing = Trailing(EVERY_S, self._send)

    def add(self, batch: ReadingBatch) -> None:
        """The store has these readings."""
        changes = newest(batch)
        for key, hour in batch.dirty_hours():
            changes[key]["hours"].append(hour)
        for key, change in changes.items():
            machines = self._pending.setdefault(key.member, {})
            machines[key.machine] = merged(machines[key.machine], change) if key.machine in machines else change
        for member in {key.member for key in changes}:
            self._trailing.poke(member)

    def close(self) -> None:
        """Publish what waits."""
        self._trailing.close()

    def _send(self, member: str) -> None:
        machines = list(self._pending.pop(member, {}).items())
        for start in range(0, len(machines), _MACHINES_AT_ONCE):
            body = {"at": now_ms(), "machines": dict(machines[start : start + _MACHINES_AT_ONCE])}
            self._publish(TOUCHED.format(member=member), json.dumps(body, separators=(",", ":")).encode())


def newest(batch: ReadingBatch) -> dict[MachineKey, dict[str, Any]]:
    """Each machine's newest reading and the newest value of each quantity, as they stand in the message; no hours."""
    rows = batch.rows[np.lexsort((batch.rows["at_ns"], batch.rows["machine"]))]
    machine = rows["machine"]
    last = np.flatnonzero(np.append(machine[1:] != machine[:-1], True)) if len(rows) else np.array([], np.intp)
    first = np.append(0, last[:-1] + 1)
    position = np.arange(len(rows))
    arrived = [rows["arrived_ms"][start : end + 1].max() for start, end in zip(first, last, strict=False)]
    found: dict[MachineKey, dict[str, Any]] = {}
    values = {name: np.maximum.accumulate(np.where(_present(rows[name]), position, -1))[last] for name in _VALUES}
    for index, row in enumerate(last.tolist()):
        change: dict[str, Any] = {
            "at": int(rows["at_ns"][row]) // 1_000_000,
            "arrived": int(arrived[index]),
            "hours": [],
        }
        for name, at in values.items():
            if at[index] >= first[index]:
                value = rows[name][at[index]].item()
                change[name] = STATES[value].value if name == "state" else value
        found[batch.machines[int(machine[row])]] = change
    return found


def _present(column: NDArray[Any]) -> NDArray[np.bool_]:
    missing = NO_STATE if column.dtype.itemsize == 1 else NO_INT
    present: NDArray[np.bool_] = ~np.isnan(column) if column.dtype.kind == "f" else column != missing
    return present


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two changes of one machine as one; the newer reading's values win."""
    older, newer = (one, other) if one["at"] <= other["at"] else (other, one)
    hours = sorted({*one["hours"], *other["hours"]})
    return {**older, **newer, "arrived": max(one["arrived"], other["arrived"]), "hours": hours}
