"""The folders of ``tests/cases``: ``topic``, ``payload``, ``SOURCE``, ``context.json``?, ``expected.json`` or ``.err``.

A payload too large to keep has a ``recipe.json`` instead: ``before``, ``repeat`` so many ``times``, ``close`` as often,
``after``, the whole compressed with ``gzip``.

``python tests/ingest/casefiles.py`` prints what the decoders make of a case that has no expectation yet, and writes it
beside for review.
"""

import gzip
import json
import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE, STATES
from ingest.decoders import Context, DecodeError, decoder

ORIGINS = ("documentation", "recording", "specification", "implementation", "contract", "constructed")
"""Where a payload is from, the first word of its ``SOURCE``: the maker's documentation; what a device sent, in a public
log or thread; a published standard; another's encoder; our own ``docs/connecting.md``; made here, of no one device."""
CASES = Path(__file__).parents[1] / "cases"
ARRIVED = "2027-01-01T00:00:00Z"


def folders() -> list[Path]:
    """Every case."""
    return sorted(path.parent for name in ("payload", "recipe.json") for path in CASES.glob(f"*/*/{name}"))


def origin(folder: Path) -> str:
    """Which of ``ORIGINS`` the payload is from."""
    return (folder / "SOURCE").read_text().partition(":")[0]


def payload_of(folder: Path) -> bytes:
    """The payload of a case, as it is kept or as its recipe says."""
    recipe = folder / "recipe.json"
    if not recipe.exists():
        return (folder / "payload").read_bytes()
    said = json.loads(recipe.read_text())
    times = said["times"]
    text = said.get("before", "") + said["repeat"] * times + said.get("close", "") * times + said.get("after", "")
    return gzip.compress(text.encode(), mtime=0) if said.get("gzip") else text.encode()


def decoded(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The readings of a case, with the quantities they have; and its faults, one line each."""
    stated = json.loads((folder / "context.json").read_text()) if (folder / "context.json").exists() else {}
    arrived = datetime.fromisoformat(stated.pop("arrived", ARRIVED)).timestamp() * 1000
    zone = ZoneInfo(stated.pop("timezone", "UTC"))
    topic = (folder / "topic").read_text().strip()
    context = Context(int(arrived), zone, **stated)
    try:
        readings = decoder(folder.parent.name)(topic, payload_of(folder), context)
    except DecodeError as error:
        lines = [
            " | ".join(("" if fault.element is None else str(fault.element), *fault[:3], fault.rule))
            for fault in error.faults
        ]
        return [said(reading) for reading in error.readings], lines
    return [said(reading) for reading in readings], []


def said(reading: Reading) -> dict[str, Any]:
    """A reading as JSON, without what it has not."""
    found: dict[str, Any] = {"at": reading.at_ms}
    for name, value in reading._asdict().items():
        missing = value in (NO_INT, "") or (isinstance(value, float) and math.isnan(value))
        if name == "at_ms" or missing or (name == "state" and value == NO_STATE):
            continue
        found[name] = STATES[value].value if name == "state" else json.loads(value) if name == "metrics" else value
    return found


def main() -> None:
    """Write the expectations that are missing."""
    for folder in folders():
        if not any((folder / name).exists() for name in ("expected.json", "expected.err")):
            readings, faults = decoded(folder)
            sys.stdout.write(f"{folder.relative_to(CASES)}\n  {readings}\n  {faults}\n")
            if readings or not faults:
                (folder / "expected.json").write_text(json.dumps(readings, indent=1, ensure_ascii=False) + "\n")
            if faults:
                (folder / "expected.err").write_text("\n".join(faults) + "\n")


if __name__ == "__main__":
    main()
