"""``resilian bench ingest --against telegraf``: both on the same broker, messages and InfluxDB, in turn.

Each run has a Mosquitto, a load and buckets of its own; the order rotates, so that a machine that grows slow or an
InfluxDB that compacts hits all alike.
"""

import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from accelerator.bench import processes, telegraf
from accelerator.bench.collector import collecting, count_stored
from accelerator.bench.drain import drain
from accelerator.bench.influx import Influx, tidy
from accelerator.bench.ingest import Size, circumstances, new_load
from accelerator.output import Progress
from accelerator.settings import Settings

FIGURES: Final = ("cpu_us_per_message", "messages_per_s", "rss_mb", "lost")
Run = Callable[[], Awaitable[dict[str, Any]]]


async def compare(settings: Settings, program: str, size: Size, runs: int, progress: Progress) -> dict[str, Any]:
    """Medians of ``runs`` for ``ours``, ``telegraf`` (its best settings) and ``telegraf_default``, and all runs.

    ``ratio_cpu`` is the median of the ratios of each round to Telegraf's best, ``ratio_cpu_default`` to its default.

    Raises:
        Missing: broker, store or Telegraf cannot be had.
        Found: one of them did not store what was published.
    """
    url, token = settings.store_url, settings.token or ""
    influx = Influx(url, token)
    subjects: dict[str, Run] = {
        "ours": lambda: _ours(url, token, size),
        "telegraf": lambda: _theirs(influx, program, size, telegraf.BEST),
        "telegraf_default": lambda: _theirs(influx, program, size, telegraf.DEFAULT),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in subjects}
    names = list(subjects)
    for turn in range(runs):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            found[name].append(await subjects[name]())
            progress(turn * len(names) + place + 1, runs * len(names), name)
    return {
        **{name: medians(figures) for name, figures in found.items()},
        "ratio_cpu": ratio(found["ours"], found["telegraf"]),
        "ratio_cpu_default": ratio(found["ours"], found["telegraf_default"]),
        "runs": found,
        **circumstances(size, "mosquitto", url),
    }


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; what was lost, in all runs together."""
    middle = {name: statistics.median(run[name] for run in runs) for name in FIGURES}
    return {**middle, "lost": sum(run["lost"] for run in runs)}


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> float:
    """Median over the rounds of our CPU per message to theirs: rounds are paired, since the machine's pace drifts."""
    cpu = [[float(run["cpu_us_per_message"]) for run in runs] for runs in (ours, theirs)]
    return round(float(statistics.median(one / other for one, other in zip(*cpu, strict=True))), 3)


def _silent(done: int, total: int, what: str = "") -> None:
    """Runs are told, not messages."""


async def _ours(url: str, token: str, size: Size) -> dict[str, Any]:
    load = new_load(size)
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        try:
            async with (
                processes.mosquitto(folder) as address,
                collecting(folder, address, load, url, token) as collector,
            ):
                figures = await drain(address, collector, load, size.count, _silent)
            stored = await count_stored(url, token, set(load.keys).__contains__)
        finally:
            await tidy(url, token, load)
    return {**figures, "lost": size.count - stored}


async def _theirs(influx: Influx, program: str, size: Size, options: telegraf.Options) -> dict[str, Any]:
    load = new_load(size)
    bucket = f"{load.keys[0].member}-telegraf"
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        try:
            async with (
                processes.mosquitto(folder) as address,
                telegraf.running(program, folder, address, load, influx, bucket, options) as bridge,
            ):
                figures = await drain(address, bridge, load, size.count, _silent)
            stored = await telegraf.count_stored(influx, bucket)
        finally:
            await influx.remove_buckets([bucket])
    return {**figures, "lost": size.count - stored}
