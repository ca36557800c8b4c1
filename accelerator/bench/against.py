"""``resilian bench ingest --against telegraf``: both on the same broker, messages and InfluxDB, in turn.

Each run has a Mosquitto, a load and buckets of its own; the order rotates, so that a machine that grows slow or an
InfluxDB that compacts hits all alike.
"""

import statistics
from typing import Any, Final

from accelerator.bench.drain import drain
from accelerator.bench.ingest import Size, circumstances, new_load
from accelerator.bench.subjects import ALL, BEST, OURS, Place, Who, subject
from accelerator.bench.telegraf import Options
from accelerator.output import Progress

FIGURES: Final = ("cpu_us_per_message", "messages_per_s", "rss_mb")


async def compare(place: Place, size: Size, runs: int, progress: Progress, who: Who = ALL) -> dict[str, Any]:
    """Medians of ``runs`` for ``ours``, ``telegraf`` (its best settings) and ``telegraf_default``, and all runs.

    ``ratio_cpu`` is the median of the ratios of each round to Telegraf's best; ``ratios_cpu`` to each of the others.

    Raises:
        Missing: broker, store or Telegraf cannot be had.
        Found: one of them did not store what was published.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in who}
    names = list(who)
    for turn in range(runs):
        for place_in_turn in range(len(names)):
            name = names[(turn + place_in_turn) % len(names)]
            progress(turn * len(names) + place_in_turn, runs * len(names), name)
            found[name].append(await _one(place, size, who[name]))
    return {
        **{name: medians(figures) for name, figures in found.items()},
        "ratio_cpu": ratio(found[OURS], found[BEST]),
        "ratios_cpu": {name: ratio(found[OURS], runs_of) for name, runs_of in found.items() if name != OURS},
        "runs": found,
        **circumstances(size, "mosquitto", place.store_url),
    }


async def _one(place: Place, size: Size, options: Options | None) -> dict[str, Any]:
    load = new_load(size)
    async with subject(place, load, options) as measured:
        figures = await drain(measured.address, measured.bridge, load, size.count, _silent)
        return {**figures, "lost": size.count - await measured.count()}


def _silent(done: int, total: int, what: str = "") -> None:
    """Runs are told, not messages."""


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; what was lost, in all runs together."""
    middle = {name: statistics.median(run[name] for run in runs) for name in FIGURES}
    return {**middle, "lost": sum(run["lost"] for run in runs)}


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> float:
    """Median over the rounds of our CPU per message to theirs: rounds are paired, since the machine's pace drifts."""
    cpu = [[float(run["cpu_us_per_message"]) for run in runs] for runs in (ours, theirs)]
    return round(float(statistics.median(one / other for one, other in zip(*cpu, strict=True))), 3)
