"""``resilian bench analytics``: what figures of many machines cost, and a reading in the ledger.

Hours are made, written to a Parquet file, then read and swept part by part, as ``resilian evaluate fleet`` does it.
"Reading" ends where the seconds of each state lie in memory; all that is computed from them is "sweeping".
"""

import os
import platform
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from accelerator.bench import made_hours, made_readings
from accelerator.engines import Engine, Runner, running
from accelerator.output import Progress
from analytics.sweep_file import Digest, Spent, Task, tasks_of
from analytics.verdicts import SAID, Rule

SEED: Final = 5
WINDOW_H: Final = 8


@dataclass(frozen=True)
class Size:
    """How much is swept, by whom."""

    machines: int
    weeks: int
    engine: Engine
    workers: int


@dataclass
class Timer:
    """Seconds and CPU seconds of each phase, this process's threads included."""

    phases: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, runner: Runner | None = None) -> Iterator[None]:
        """One phase; with a runner its processes' CPU seconds, too."""
        wall, cpu = time.monotonic(), _cpu(runner)
        yield
        self.phases[name] = {
            "seconds": round(time.monotonic() - wall, 3),
            "cpu_seconds": round(_cpu(runner) - cpu, 3),
        }


def measure(size: Size, told: Progress, file: Path | None = None) -> dict[str, Any]:
    """The figures of one run, JSON values only; ``file`` keeps the hours, or has them already.

    Raises:
        Missing: the engine is not installed.
        OSError: the hours cannot be written.
    """
    timer = Timer()
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as folder, running(size.engine, size.workers) as runner:
        path = file or Path(folder) / "hours.parquet"
        if not path.exists():
            with timer.phase("make"):
                made_hours.write(path, size.machines, size.weeks, SEED, told)
        before = _rss_mb()
        with timer.phase("plan"):
            tasks = tasks_of(path, made_hours.TIMEZONE, WINDOW_H, Rule(), size.weeks)
        with timer.phase("all", runner):
            swept = _sweep(runner, tasks, told)
        rss = {"rss_mb": round(_rss_mb() + runner.rss_mb()), "rss_mb_before": round(before)}
        megabytes = path.stat().st_size / 1e6
    return {
        "engine": size.engine.value,
        "workers": size.workers,
        "weeks": size.weeks,
        "window_h": WINDOW_H,
        **swept,
        "file_mb": round(megabytes, 1),
        "parts": len(tasks),
        "phases": timer.phases,
        **rss,
        "ledger": made_readings.measure(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }


def _sweep(runner: Runner, tasks: list[Task], told: Progress) -> dict[str, Any]:
    digest, said, spent, machines, hours = Digest(), Counter[int](), Spent(0.0, 0.0), 0, 0
    for done, answer in enumerate(runner.run(tasks), 1):
        digest.add(answer.found)
        said.update(answer.found.said.tolist())
        spent = Spent(spent.reading + answer.spent.reading, spent.sweeping + answer.spent.sweeping)
        machines, hours = machines + len(answer.machines), hours + len(answer.machines) * answer.hours
        told(done, len(tasks), "swept")
    return {
        "machines": machines,
        "hours": hours,
        "reading_cpu_ms": round(1e3 * spent.reading, 1),
        "sweeping_cpu_ms": round(1e3 * spent.sweeping, 1),
        "sweeping_ns_per_hour": round(1e9 * spent.sweeping / max(1, hours), 2),
        "said": {SAID[code]: count for code, count in sorted(said.items())},
        "digest": digest.hexdigest(),
    }


def _cpu(runner: Runner | None) -> float:
    return time.process_time() + (runner.cpu_seconds() if runner else 0.0)


def _rss_mb() -> float:
    """Highest of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
