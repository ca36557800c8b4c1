"""What is missing, as the collector's health tells it."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fleet.batch import NO_INT
from ingest.gaps.life import Gap
from ingest.gaps.numbers import Numbers
from ingest.gaps.source import Source
from ingest.sparkplug.host import Host

_MACHINES: Final = 50
_RANGES: Final = 10

Named = tuple[dict[str, str], Source]
"""A source by ``member`` and ``machine``, or by ``member`` and ``node``."""


def named(numbers: Numbers, host: Host) -> Iterator[Named]:
    """Every machine that numbers its readings, and every edge node, which numbers its messages."""
    for key, source in numbers.sources():
        yield key._asdict(), source
    for node, source in host.sources():
        yield node._asdict(), source


def missing(sources: Iterable[Named]) -> dict[str, Any]:
    """Totals of all sources, and those of them that lack something, what was noticed last first."""
    totals = dict.fromkeys(("missing", "late", "given_up", "restarts"), 0)
    told: list[tuple[int, dict[str, Any]]] = []
    for name, source in sources:
        totals["late"] += source.late
        totals["given_up"] += source.given_up + sum(life.given_up for life in source.lives.values())
        totals["restarts"] += source.restarts
        gaps = source.gaps()
        if gaps or source.restart:
            entry = _entry(name, source, gaps)
            totals["missing"] += entry["missing"]
            told.append((gaps[-1][1].noticed_ms if gaps else 0, entry))
    told.sort(key=lambda each: -each[0])
    return {**totals, "machines": [entry for _, entry in told[:_MACHINES]]}


def _entry(name: dict[str, str], source: Source, gaps: list[tuple[int, Gap]]) -> dict[str, Any]:
    return {
        **name,
        "missing": sum(gap.size for _, gap in gaps),
        "ranges": [
            {
                "boot": None if boot == NO_INT else boot, "first": gap.first, "last": gap.last,
                "after": gap.after_ms, "before": gap.before_ms, "noticed": gap.noticed_ms,
            }
            for boot, gap in reversed(gaps[-_RANGES:])
        ],
        "restart": source.restart and source.restart._asdict(),
    }  # fmt: skip
