"""A module with the programs' clock set: ``python -m tests.clocked 2026-10-25T00:30:00Z accelerator.main ingest``.

It goes on from that instant. The programs ask for the instant in one place, :mod:`fleet.clock`; this sets that place
before any of them is loaded.
"""

import runpy
import sys
import time
from datetime import UTC, datetime

from fleet import clock


def _set(instant: datetime) -> None:
    ahead_ns = round(instant.timestamp() * 1000) * 1_000_000 - time.time_ns()
    clock.now_ms = lambda: (time.time_ns() + ahead_ns) // 1_000_000
    clock.now = lambda: datetime.fromtimestamp((time.time_ns() + ahead_ns) / 1e9, UTC)


if __name__ == "__main__":
    _set(datetime.fromisoformat(sys.argv.pop(1)))
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
