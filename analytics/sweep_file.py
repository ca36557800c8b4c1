"""A sweep over a file of hours, part by part: of a part nothing but its results stays in memory."""

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from analytics.history import local_hours, utc, week_of, week_start
from analytics.sweep import Block, Columns, Question, Swept, sweep
from analytics.verdicts import Rule
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS
from store.hours_read import Part, plan, read

PART_ROWS: Final = 2_000_000
"""Hours in a part, about: 230 machines of a year, some 100 MB while they are swept."""


class Task(NamedTuple):
    """One part of the file, and what is asked of its machines.

    Attributes:
        start: epoch seconds of the first hour looked at.
    """

    part: Part
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
    """One task a part; now is the end of the newest hour in the file, and ``weeks`` before its week are looked at.

    Raises:
        store.hours_read.HoursUnreadable: a person must look at the file.
    """
    planned = plan(path, PART_ROWS)
    earliest = week_start(week_of(utc(planned.end), timezone) - weeks, timezone)
    asked = Question(planned.end, timezone, window, rule)
    return [Task(part, max(planned.start, earliest), asked) for part in planned.parts]


def carry_out(task: Task) -> Answer:
    """Read a part and sweep it."""
    begun = time.thread_time()
    count = (task.asked.now - task.start) // HOUR_SECONDS
    grid = read(task.part, task.start, count)
    read_at = time.thread_time()
    clock = local_hours(task.start, count, task.asked.timezone)
    found = sweep(Block(grid.machines, clock, Columns(*grid.seconds)), task.asked)
    return Answer(grid.machines, count, found, Spent(read_at - begun, time.thread_time() - read_at))


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
