"""A sweep over a file of hours, part by part: of a part nothing but its results stays in memory."""

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.history import local_hours, utc, week_of, week_start
from analytics.sweep import Block, Columns, Question, Swept, judge, look, view_of
from analytics.verdicts import Rule
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS
from store.hours_plan import Part, plan
from store.hours_read import Grid, read

TASK_ROWS: Final = 6_000_000
"""Hours of a task, about: 690 machines of a year, whose chances and levels are found at once."""
READ_ROWS: Final = 200_000
"""Hours read at once, about: 23 machines of a year, 7 MB, which stay in the caches while they are swept."""
_LARGEST_PIECE: Final = (32 << 20) - 8192


class Task(NamedTuple):
    """Neighbouring parts of the file, and what is asked of their machines.

    Attributes:
        start: epoch seconds of the first hour looked at.
    """

    parts: tuple[Part, ...]
    start: int
    asked: Question


class Spent(NamedTuple):
    """CPU seconds of the thread that did it."""

    reading: float
    sweeping: float


class Answer(NamedTuple):
    """What was found of a part's machines; ``hours`` is how many hours of each were looked at."""

    machines: tuple[MachineKey, ...]
    hours: int
    found: Swept
    spent: Spent


def tasks_of(path: Path, timezone: str, window: int, rule: Rule, weeks: int) -> list[Task]:
    """Tasks of neighbouring parts, together of about :data:`TASK_ROWS` hours.

    Now is the end of the newest hour in the file; ``weeks`` before its week are looked at.

    Raises:
        store.hours_plan.HoursUnreadable: a person must look at the file.
    """
    planned = plan(path, min(READ_ROWS, TASK_ROWS))
    earliest = week_start(week_of(utc(planned.end), timezone) - weeks, timezone)
    asked = Question(planned.end, timezone, window, rule)
    start = max(planned.start, earliest)
    return [Task(parts, start, asked) for parts in _together(planned.parts)]


def _together(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Parts of together about :data:`TASK_ROWS`."""
    taken: list[Part] = []
    for part in parts:
        taken.append(part)
        if sum(one.rows for one in taken) >= TASK_ROWS:
            yield tuple(taken)
            taken = []
    if taken:
        yield tuple(taken)


def carry_out(task: Task) -> Answer:
    """Read the parts one by one, look at each while it is in the caches, then judge all of its machines."""
    _keep_memory()
    clock = local_hours(task.start, (task.asked.now - task.start) // HOUR_SECONDS, task.asked.timezone)
    view = view_of(clock, task.asked)
    begun, looks, grids = time.thread_time(), [], _Timed(read(task.parts, task.start, len(clock)))
    for grid in grids:
        looks.append(look(Block(grid.machines, clock, Columns(*grid.seconds)), view))
        del grid  # its memory is the next one's
    found = judge(looks, view)
    machines = tuple(machine for one in looks for machine in one.machines)
    return Answer(machines, len(clock), found, Spent(grids.spent, time.thread_time() - begun - grids.spent))


@cache
def _keep_memory() -> None:
    """Have the C library keep the memory of temporary arrays.

    glibc gives back what is free above twice the largest piece that was ever given back, to 32 MB; this one is never
    touched. Else memory goes and comes back cleared all the time, for half as much CPU again as all figures need. Other
    libraries take no notice.
    """
    np.empty(_LARGEST_PIECE, dtype=np.uint8)


class _Timed:
    """What another iterator brings, and the CPU seconds that it takes."""

    def __init__(self, grids: Iterator[Grid]) -> None:
        self.spent = 0.0
        self._grids = grids

    def __iter__(self) -> "_Timed":
        return self

    def __next__(self) -> Grid:
        begun = time.thread_time()
        try:
            return next(self._grids)
        finally:
            self.spent += time.thread_time() - begun


def locally(tasks: Sequence[Task], workers: int) -> Iterator[Answer]:
    """Answers in the order of the tasks; so many are carried out at a time, each in a thread of its own."""
    with ThreadPoolExecutor(workers, thread_name_prefix="sweep") as pool:
        running: deque[Future[Answer]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(carry_out, task))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


class Digest:
    """sha256 of all results, column by column: the same whatever the parts were."""

    def __init__(self) -> None:
        self._columns = [hashlib.sha256() for _ in Swept._fields]

    def add(self, found: Swept) -> None:
        """Results of the next machines."""
        columns: tuple[NDArray[Any], ...] = found
        for digest, column in zip(self._columns, columns, strict=True):
            digest.update(column.tobytes())

    def hexdigest(self) -> str:
        """Of all that was added, 64 hex digits."""
        return hashlib.sha256(b"".join(digest.digest() for digest in self._columns)).hexdigest()
