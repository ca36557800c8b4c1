"""The fault bench: every scenario under its fault, without it, and with a collector broken on purpose.

usage: python -m tests.faults.bench [--rounds 25] [--only NAME]... [--rate N] [--seed N] [--json]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.disk import cannot_mount
from tests.faults.scenario import Scenario
from tests.faults.scenarios import SCENARIOS
from tests.faults.trial import Kind, caught, trial
from tests.servers import find_influxd

CONTROL_ROUNDS = 5
COLUMNS = (
    "fault", "name", "rounds", "published", "stored", "rejected", "lost", "told", "duplicates", "control", "sabotage",
    "rss_mb", "well",
)  # fmt: skip


async def row(scenario: Scenario, options: argparse.Namespace) -> dict[str, Any]:
    """All trials of one scenario; ``well`` when everything held and the sabotage was caught.

    ``told`` is what the broker lost and the collector told; ``lost`` everything else that is lost.
    """
    trials: dict[str, dict[str, Any]] = {}
    plan: tuple[tuple[Kind, int], ...] = (
        ("fault", options.rounds),
        ("control", min(CONTROL_ROUNDS, options.rounds)),
        ("sabotaged", min(scenario.sabotaged_rounds, options.rounds)),
    )
    began = time.monotonic()
    for kind, rounds in plan:
        with tempfile.TemporaryDirectory(prefix="resilian-faults-") as folder:
            trials[kind] = await trial(
                scenario, Path(folder), kind, rounds=rounds, rate=options.rate, seed=options.seed
            )
    fault, control, sabotaged = trials["fault"], trials["control"], trials["sabotaged"]
    told = fault["lost"] if scenario.may_lose and not fault["wrong"] else 0
    return {
        **{name: fault[name] for name in ("rounds", "published", "stored", "rejected", "duplicates", "rss_mb")},
        "lost": fault["lost"] - told,
        "told": told,
        "fault": scenario.fault,
        "name": scenario.name,
        "control": f"{control['stored']} of {control['published']}",
        "sabotage": f"{scenario.sabotage}: {'caught' if caught(sabotaged) else 'NOT CAUGHT'}, {sabotaged['lost']} lost,"
        f" {sabotaged['duplicates']} twice",
        "well": not fault["wrong"] and not control["wrong"] and caught(sabotaged),
        "seconds": round(time.monotonic() - began),
        "trials": {kind: _short(outcome) for kind, outcome in trials.items()},
    }


def _short(outcome: dict[str, Any]) -> dict[str, Any]:
    """Without what only a scenario needs, and a few examples of each kind."""
    examples = {name: found[:5] for name, found in outcome["examples"].items()}
    return {**{name: value for name, value in outcome.items() if name != "arrived"}, "examples": examples}


def line(cells: dict[str, Any]) -> str:
    """One row of the table that is printed."""
    return "| " + " | ".join(str(cells[name]) for name in COLUMNS) + " |"


async def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench faults")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--only", action="append", choices=[scenario.name for scenario in SCENARIOS], metavar="NAME")
    parser.add_argument("--rate", type=int, help="messages a second, instead of the scenario's own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object a scenario, with all figures")
    options = parser.parse_args()
    well = True
    if not options.json:
        print(line({name: name for name in COLUMNS}), line(dict.fromkeys(COLUMNS, "---")), sep="\n", flush=True)  # noqa: T201
    for scenario in SCENARIOS:
        if options.only and scenario.name not in options.only:
            continue
        if scenario.setting.store == "influxdb" and find_influxd() is None:
            print(f"{scenario.name}: not run, influxd is not built: scripts/build-influxd", file=sys.stderr)  # noqa: T201
            well = False
            continue
        if scenario.setting.small_disk and cannot_mount():
            print(f"{scenario.name}: not run, {cannot_mount()}", file=sys.stderr)  # noqa: T201
            well = False
            continue
        found = await row(scenario, options)
        well = well and found["well"]
        print(json.dumps(found) if options.json else line(found), flush=True)  # noqa: T201
        for kind, outcome in found["trials"].items():
            if kind != "sabotaged" and outcome["wrong"]:
                print(f"{scenario.name}, {kind}: {'; '.join(outcome['wrong'])}", file=sys.stderr, flush=True)  # noqa: T201
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
