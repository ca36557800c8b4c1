"""A simulated network with its ground truth: precision and recall of every rule, and whether what is stated holds.

usage: python -m tests.bench.network [--machines 1500] [--weeks 16] [--seed 11] [--silent 0.3] [--processes 2] [--json]

Networks of thirty members, one seed after the other, until there are so many machines; ledger and rules run as in the
product, without broker and store. Some machines are in trouble: moved clamp, degrading feed, too much work, sold. With
--silent that share of the days of every feed is lost.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench.network_scores import figures
from tests.bench.network_world import Judged, World

SEED: Final = 11
WEEKS: Final = 16


class Task(NamedTuple):
    """One member of one network."""

    folder: str
    seed: int
    weeks: int
    silent: float
    member: str


def judged(
    machines: int, weeks: int = WEEKS, seed: int = SEED, processes: int = 1, silent: float = 0.0
) -> list[Judged]:
    """So many machines, judged, in an order that the number of processes does not change."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = [task for world in _worlds(Path(folder), machines, weeks, seed, silent) for task in world]
        if processes == 1:
            found = map(_member, tasks)
            return [one for member in found for one in member][:machines]
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            return [one for member in pool.map(_member, tasks) for one in member][:machines]


def _worlds(folder: Path, machines: int, weeks: int, seed: int, silent: float) -> Iterator[list[Task]]:
    while machines > 0:
        place = str(folder / str(seed))
        world = _world(place, seed, weeks, silent)
        tasks = []
        for slug in world.registry.members:
            if machines > 0:
                tasks.append(Task(place, seed, weeks, silent, slug))
            machines -= sum(key.member == slug for key in world.plants)
        yield tasks
        seed += 1


def _member(task: Task) -> list[Judged]:
    return _world(task.folder, task.seed, task.weeks, task.silent).judged(task.member)


@lru_cache(maxsize=2)
def _world(folder: str, seed: int, weeks: int, silent: float) -> World:
    return World.of(Path(folder), seed, weeks, silent)


def _told(found: dict[str, Any]) -> str:
    lines = [f"{found['machines']} machines, in trouble: {found['troubles']}", ""]
    heads = ("asked", "flags", "true", "precision", "recall", "missed too", "wrong")
    lines.append(f"{'rule':22}" + "".join(f"{head:>12}" for head in heads) + "  insufficient")
    for rule, row in found["rules"].items():
        shares = (row.get(name) for name in ("precision", "recall", "recall_insufficient_missed", "wrong_of_untrue"))
        cells = ["-" if share is None else f"{share:.3f}" for share in shares]
        names = ", ".join(f"{name} {share:.1%}" for name, share in row["insufficient"].items())
        counts = [row["n"], row["flagged"], row.get("true", "-"), *cells]
        lines.append(f"{rule:22}" + "".join(f"{cell:>12}" for cell in counts) + f"  {names}")
    lines += ["", "flags (wrong ones) of the machines in each trouble:"]
    for rule, row in found["rules"].items():
        told = row.get("by_trouble", {})
        cells = [f"{name}: {told[name]['flagged']} ({told[name]['wrong']}) of {told[name]['n']}" for name in told]
        lines.append(f"{rule:22}" + ", ".join(cells))
    for basis, row in found["states"].items():
        lines += ["", f"states by {basis}: {row}"]
    for name, rows in found["honesty"].items():
        lines += ["", f"{name}:"]
        lines += [f"  {row}" for row in (rows if isinstance(rows, list) else [rows])]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--machines", type=int, default=1500)
    parser.add_argument("--weeks", type=int, default=WEEKS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--silent", type=float, default=0.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = figures(judged(asked.machines, asked.weeks, asked.seed, asked.processes, asked.silent))
    sys.stdout.write((json.dumps(found) if asked.json else _told(found)) + "\n")


if __name__ == "__main__":
    main()
