"""Idle but drawing, and never off at night, on a simulated network of which some machines waste: precision and recall.

usage: python -m tests.bench.energy_rules [--machines 300] [--weeks 10] [--seed 21] [--json]

Readings as the collector stores them, learned models, hours and rules as in the product, in memory. The truth is that
of the four weeks to come, from the simulator's states and mean powers: kilowatt-hours on standby above off in stretches
of two hours or more; and stretches outside the staffed blocks without half an hour off, in twelve weeks.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from analytics import states
from analytics.history import History
from analytics.ledger import fold
from analytics.rules import RuleContext, idle_but_drawing, never_off_at_night
from fleet.batch import MachineKey
from fleet.network import Machine, Member
from fleet.records import Finding, FindingStatus
from fleet.registry import Registry, load
from simulators import network
from simulators.history import heard
from simulators.plant import Plant, connected, plants_of
from simulators.timeline import Timeline, counting_since
from simulators.waste import Waste, wasteful
from tests.bench.energy_truth import TRUE, UNSURE, Truth, truth_of
from tests.bench.simulated_rows import rows_of

NOW: Final = datetime(2026, 6, 1, 6, tzinfo=UTC)
"""A Monday; the four weeks after it have no public holiday."""


class Judged(NamedTuple):
    """One machine: how it wastes by design, what is true of it, what the rules say (None: they do not apply)."""

    key: MachineKey
    waste: Waste | None
    truth: Truth
    said: dict[str, Finding | None]


def judged(machines: int, weeks: int, seed: int, *, imperfect: bool = True) -> Iterator[Judged]:
    """So many machines of networks of these and the following seeds."""
    while machines > 0:
        with tempfile.TemporaryDirectory() as folder:
            network.write(Path(folder), seed, NOW)
            registry = load(Path(folder))
        plants, wastes = wasteful(connected(plants_of(seed, registry), seed, _ms(NOW), imperfect=imperfect), seed)
        for plant in plants[:machines]:
            member, machine = registry.members[plant.key.member], registry.machine(plant.key)
            assert machine is not None
            yield _judge(registry, member, machine, plant, wastes.get(plant.key), weeks)
        machines, seed = machines - len(plants), seed + 1


def _judge(
    registry: Registry, member: Member, machine: Machine, plant: Plant, waste: Waste | None, weeks: int
) -> Judged:
    timeline = Timeline(plant, counting_since(NOW.date(), weeks))
    start, now = _ms(NOW - timedelta(weeks=weeks)), _ms(NOW)
    rows = rows_of(plant, heard(plant, timeline, start, now, round(plant.every_s * 1000)))
    model = states.resolve(machine, states.learn_at(rows, states.resolve(machine).max_silence_ms, now))
    folded = fold(plant.key, rows, model, start=start // 1000, now_ms=now)
    zone = member.timezone or registry.network.timezone
    history = History.from_buckets(folded.hours, zone, start // 1000, now // 1000)
    inferable = model.by_power or history.basis in ("state", "counter")
    context = RuleContext(member, machine, registry.network, history, NOW, folded.alive, inferable)
    said = {rule.NAME: rule.judge(context, None) for rule in (idle_but_drawing, never_off_at_night)}
    return Judged(plant.key, waste, truth_of(timeline, NOW, idle_but_drawing.least_kwh(context)), said)


def score(found: Sequence[Judged], rule: str) -> dict[str, Any]:
    """Counts, precision, recall of the true ones that evidence sufficed for, and of all; the contested ones apart."""
    asked = [one for one in found if one.said[rule] is not None]
    true, unsure = TRUE[rule], UNSURE[rule]
    sure = [one for one in asked if not unsure(one.truth)]
    missing: dict[str, int] = {}
    for one in asked:
        finding = one.said[rule]
        if finding is not None and finding.status is FindingStatus.INSUFFICIENT_EVIDENCE:
            missing[finding.reason] = missing.get(finding.reason, 0) + 1
    return {
        "machines": len(asked),
        "true": sum(true(one.truth) for one in asked),
        **_shares(asked, rule),
        "without contested": _shares(sure, rule),
        "insufficient": missing,
    }


def _shares(some: Sequence[Judged], rule: str) -> dict[str, Any]:
    true = TRUE[rule]
    statuses = [(finding.status, true(one.truth)) for one in some if (finding := one.said[rule]) is not None]
    flagged = [is_true for status, is_true in statuses if status is FindingStatus.FLAGGED]
    told = [status for status, is_true in statuses if is_true and status is not FindingStatus.INSUFFICIENT_EVIDENCE]
    whole = sum(is_true for _, is_true in statuses)
    return {
        "flagged": len(flagged),
        "precision": round(sum(flagged) / len(flagged), 3) if flagged else None,
        "recall": round(sum(flagged) / len(told), 3) if told else None,
        "recall, insufficient missed": round(sum(flagged) / whole, 3) if whole else None,
    }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--machines", type=int, default=300)
    parser.add_argument("--weeks", type=int, default=10)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = list(judged(asked.machines, asked.weeks, asked.seed))
    rows = {rule: score(found, rule) for rule in TRUE}
    if asked.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for rule, row in rows.items():
        sys.stdout.write(f"{rule}: {json.dumps(row)}\n")


if __name__ == "__main__":
    main()
