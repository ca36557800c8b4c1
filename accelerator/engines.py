"""Who carries out a sweep: threads of this process, or a Dask cluster on this machine."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from accelerator.problems import Missing

if TYPE_CHECKING:
    from analytics.sweep_file import Answer, Task


class Engine(StrEnum):
    """Where parts are swept."""

    LOCAL = "local"
    DASK = "dask"


class Runner(Protocol):
    """Sweeps, one after the other."""

    def run(self, tasks: "Sequence[Task]") -> "Iterator[Answer]":
        """Answers in the order of the tasks."""

    def cpu_seconds(self) -> float:
        """CPU seconds of its own processes so far, this one not among them; threads included."""

    def rss_mb(self) -> float:
        """Highest resident memory so far of its own processes together, MB."""


def workers_of(asked: int | None) -> int:
    """So many, or one a core."""
    return asked or os.cpu_count() or 1


@contextmanager
def running(engine: Engine, workers: int) -> Iterator[Runner]:
    """The engine, started and in the end stopped.

    Raises:
        Missing: Dask is not installed.
    """
    if engine is Engine.LOCAL:
        yield _Local(workers)
        return
    if find_spec("distributed") is None:
        raise Missing("--engine dask: Dask is not installed; install it: pip install 'resilian[dask]'")
    from analytics.sweep_dask import cluster

    with cluster(workers) as runner:
        yield runner


class _Local:
    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, tasks: "Sequence[Task]") -> "Iterator[Answer]":
        from analytics.sweep_file import locally

        return locally(tasks, self._workers)

    def cpu_seconds(self) -> float:
        return 0.0

    def rss_mb(self) -> float:
        return 0.0
