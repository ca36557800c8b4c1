"""The wire formats: their cases, where each payload is from, who encodes them for the round trip, and fuzzing.

usage: python -m tests.bench.formats [--executions 20000] [--seed N] [--json]

``cases`` are decoded by themselves and on the real path (tests/ingest/test_cases.py, test_real_path.py); ``round trip``
names who encodes what Hypothesis draws and the decoder must give back. Exit 1 when a fuzzer found something.
"""

import argparse
import json
import random
import sys
from collections import Counter
from typing import Any

from ingest.decoders import DECODERS, formats
from simulators.formats import FORMATS
from tests.bench.fuzz import fuzz, growth
from tests.ingest.casefiles import CASES, ORIGINS, folders, origin
from tests.simulators.other_formats import OTHER_FORMATS

ENCODERS = {
    **dict.fromkeys(FORMATS, "simulators/formats"),
    **dict.fromkeys(OTHER_FORMATS, "tests/simulators/other_formats.py"),
    "sparkplug": "tests/ingest/edge.py, pysparkplug",
}
COLUMNS = ("format", "read by", "cases", "refused", *ORIGINS, "round trip", "executions", "growth")


def row(name: str, executions: int, rng: random.Random) -> dict[str, Any]:
    """One format.

    Raises:
        AssertionError: with the payload that the decoder did not stand.
    """
    own = [folder for folder in folders() if folder.parent.name == name]
    origins = Counter(origin(folder) for folder in own)
    ran = fuzz(name, executions, rng)
    return {
        "format": name,
        "read by": "code" if name in DECODERS else "profile",
        "cases": len(own),
        "refused": sum((folder / "expected.err").exists() for folder in own),
        **{kind: origins[kind] for kind in ORIGINS},
        "round trip": ENCODERS[name],
        "executions": ran["executions"],
        "growth": round(growth(name)[0], 2),
    }


def main() -> int:
    """Print the table; exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench formats")
    parser.add_argument("--executions", type=int, default=20_000, help="of each decoder's fuzzer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    assert CASES.is_dir()
    rows = []
    for name in formats():
        try:
            rows.append(row(name, options.executions, random.Random(options.seed)))
        except AssertionError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    total = {"format": "all", **{name: sum(one[name] for one in rows) for name in ("cases", "refused", *ORIGINS)}}
    total["executions"] = sum(one["executions"] for one in rows)
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    for cells in (dict(zip(COLUMNS, COLUMNS, strict=True)), dict.fromkeys(COLUMNS, "---"), *rows, total):
        sys.stdout.write("| " + " | ".join(str(cells.get(name, "")) for name in COLUMNS) + " |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
