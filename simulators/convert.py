"""Recordings of others as readings files that ``resilian replay`` and ``resilian evaluate states`` take.

``python -m simulators.convert sme power_items_status.csv readings.csv``
``python -m simulators.convert tasmota captures.jsonl readings.csv --timezone Europe/Paris``
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

_HEADER: Final = ("machine", "at", "power_w", "count", "label")
_SLOT: Final = timedelta(minutes=5)
_SME_LABELS: Final = {1: "SETUP", 2: "PRODUCING", 3: "FAULT"}  # manual, automatic, alarm
_WRAPPERS: Final = ("tele", "SENSOR", "STATE")

Line = tuple[object, ...]


@dataclass
class Converted:
    """Every row accounted for: ``rows`` = ``written`` + ``refused``; ``reasons`` has one entry a refused row."""

    rows: int = 0
    written: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)


def sme(source: Path, target: Path) -> Converted:
    """Slots of five minutes (``ts,asset,items,status,power_avg`` in kW) as readings at the end of each slot.

    Items are summed to a monotone counter for each asset, in order of time; the status is the label.

    Raises:
        OSError: a file cannot be read or written.
    """
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    total: defaultdict[str, int] = defaultdict(int)

    def line(row: Mapping[str, str]) -> Line:
        end = datetime.fromisoformat(row["ts"]) + _SLOT
        items, watts = float(row["items"]), 1000 * float(row["power_avg"])
        label = _SME_LABELS[round(float(row["status"]))]
        if not items.is_integer() or items < 0:
            raise ValueError(f"items = {items}: a whole number of at least 0")
        total[row["asset"]] += round(items)
        return f"asset-{row['asset']}", end.isoformat(), f"{watts:g}", total[row["asset"]], label

    rows.sort(key=lambda row: row.get("ts") or "")
    return _write(target, rows, line)


def tasmota(source: Path, target: Path, timezone: str = "UTC") -> Converted:
    """Captured ``SENSOR`` messages, one JSON object ``{"topic", "payload"}`` a line; local times are of ``timezone``.

    Raises:
        OSError: a file cannot be read or written.
    """
    zone = ZoneInfo(timezone)

    def line(text: str) -> Line:
        message = json.loads(text)
        energy = message["payload"].get("ENERGY")
        if not isinstance(energy, dict) or "Power" not in energy:
            raise ValueError("no ENERGY.Power: not a message of the meter")
        at = datetime.fromisoformat(message["payload"]["Time"])
        at = at if at.tzinfo else at.replace(tzinfo=zone)
        return _device(str(message["topic"])), at.isoformat(), f"{float(energy['Power']):g}", "", ""

    return _write(target, source.read_text(encoding="utf-8").splitlines(), line)


def _device(topic: str) -> str:
    levels = [level for level in topic.split("/") if level and level not in _WRAPPERS]
    return levels[0] if levels else topic


def _write(target: Path, rows: list[Any], line: Callable[[Any], Line]) -> Converted:
    done = Converted(rows=len(rows))
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_HEADER)
        for number, found in _lines(rows, line):
            if isinstance(found, Exception):
                done.refused += 1
                done.reasons.append(f"row {number}: {type(found).__name__}: {found}")
            else:
                table.writerow(found)
                done.written += 1
    return done


def _lines(rows: list[Any], line: Callable[[Any], Line]) -> Iterator[tuple[int, Line | Exception]]:
    for number, row in enumerate(rows, 1):
        try:
            yield number, line(row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield number, error


def main(arguments: list[str] | None = None) -> int:
    """Convert one file; 1 when rows were refused, each with its reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m simulators.convert", description="Recordings to readings files.")
    parser.add_argument("kind", choices=("sme", "tasmota"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--timezone", default="UTC", help="of times without an offset (tasmota)")
    chosen = parser.parse_args(arguments)
    try:
        done = (
            sme(chosen.source, chosen.target)
            if chosen.kind == "sme"
            else tasmota(chosen.source, chosen.target, chosen.timezone)
        )
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stderr.writelines(f"{reason}\n" for reason in done.reasons)
    sys.stdout.write(f"{done.rows} rows: {done.written} written, {done.refused} refused\n")
    return 1 if done.refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
