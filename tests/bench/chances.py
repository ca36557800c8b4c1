"""P(free) on the simulated network, a seed that taught nothing: profile alone, recent days, state known; and rivals.

usage: python -m tests.bench.chances [--seed 5] [--machines 60]
"""

import argparse
import json
import sys
from typing import Final

from analytics.evaluate.availability import MODELS, OURS, report
from analytics.evaluate.folds import Model
from analytics.evaluate.grid import Grid
from tests.bench.builtin import simulated

ASKED: Final = ((8, 0.0), (24, 0.0), (4, 0.25), (4, 4.0), (4, 24.0))
"""Windows and leads, hours."""
RIVALS: Final = ("raw_hour_of_week", "smoothed_hour_of_week")
BESIDE: Final[dict[str, Model]] = {
    **{name: MODELS[name] for name in RIVALS},
    "profile alone": lambda past: MODELS[OURS](past._replace(recent=None)),
    OURS: MODELS[OURS],
}


def main() -> None:
    parser = argparse.ArgumentParser(description="P(free) on the simulated network")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--machines", type=int, default=60)
    asked = parser.parse_args()
    whole, count = simulated(asked.seed), asked.machines
    some = (whole.machines[:count], whole.clock, whole.busy[:count], whole.used[:count], whole.observed[:count])
    grid = Grid(*some, whole.lines[:count])
    for window, lead in ASKED:
        found = report(grid, BESIDE, window, lead, 4, state_known=True)
        brier = {name: round(one["brier"], 4) for name, one in found["models"].items()}
        known = {"state known": round(found["state_known"]["brier"], 4), "ece": round(found["state_known"]["ece"], 3)}
        row = {"window": found["window"], "lead": found["lead"], **brier, **known}
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
