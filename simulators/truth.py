"""The ground truth as a file that every reader of interval files understands.

Columns: ``member,machine,start,end,state``. ``machine`` is ``member/machine``, so that two members' machines of one
name stay apart for a reader that knows no ``member`` column; times are ISO 8601 UTC.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fleet.batch import MachineKey
from fleet.states import STATES
from simulators.timeline import Intervals

HEADER: Final = "member,machine,start,end,state\n"


class TruthFile:
    """Written line by line as the truth is known; usable at any moment up to the last whole line."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew.

        Raises:
            OSError: it cannot be written.
        """
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(HEADER)

    def add(self, key: MachineKey, start_ms: int, end_ms: int, state: int) -> None:
        """One interval; an empty one is left out."""
        if end_ms > start_ms:
            name = f"{key.member},{key.member}/{key.machine}"
            self._file.write(f"{name},{iso(start_ms)},{iso(end_ms)},{STATES[state].value}\n")

    def add_all(self, key: MachineKey, intervals: Intervals) -> None:
        """All intervals of one machine."""
        columns = (intervals.start_ms.tolist(), intervals.end_ms.tolist(), intervals.state.tolist())
        for start, end, state in zip(*columns, strict=True):
            self.add(key, start, end, state)

    def flush(self) -> None:
        """Hand what was added to the system."""
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def iso(at_ms: int) -> str:
    """Epoch ms as ISO 8601 UTC with milliseconds: ``2026-03-02T07:15:00.250Z``."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
