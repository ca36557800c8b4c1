"""The same sweep on a Dask cluster of this machine: parts are tasks, and results are equal to the last bit."""

import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import dask.config
from distributed import Client, LocalCluster

from analytics.sweep_file import Answer, Task, carry_out


class Cluster:
    """Worker processes that wait for tasks."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Answers in the order of the tasks; a task's result leaves the cluster when it is taken."""
        waiting = list(reversed(self._client.map(carry_out, tasks, pure=False)))
        while waiting:
            future = waiting.pop()
            answer: Answer = future.result()
            future.release()
            yield answer

    def cpu_seconds(self) -> float:
        """CPU seconds of the workers so far, threads included."""
        return float(sum(self._client.run(time.process_time).values()))

    def rss_mb(self) -> float:
        """Highest resident memory so far of the workers together, MB."""
        return float(sum(self._client.run(_peak_mb).values()))


_CONFIG: Final = {
    # Dask has workers give memory back at once; a sweep wants it again at once, and then takes five times as long.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 28,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 25,
    # Its HTTP servers cannot be left out; they have no pages, and ports of their own instead of one that may be taken.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
_NO_DASHBOARD: Final = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """So many worker processes of one thread each; nothing listens but on 127.0.0.1, and there is no dashboard."""
    with (
        tempfile.TemporaryDirectory(prefix="resilian-dask-") as folder,
        dask.config.set(_CONFIG),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs=_NO_DASHBOARD,
            local_directory=folder,
            silence_logs="ERROR",
        ) as local,
        Client(local) as client,
    ):
        yield Cluster(client)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
