"""Files that a stranger may bring: ``tests/cases/evaluate``, each through the command, as it is typed.

A case is a folder with ``busy.csv``, ``observed.csv``?, ``arguments``, ``SOURCE``, and ``expected.json`` (what the
answer holds at least, and all of its notes) or ``expected.err`` (the line of an exit 1). Figures of the rivals are
those of ``plain_backtest``, which shares no line with the harness.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from accelerator.main import application
from accelerator.problems import Found
from tests.analytics import plain_backtest

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "cases" / "evaluate").glob("*/busy.csv"))
ANSWERED = [case for case in CASES if (case / "expected.json").exists()]
REFUSED = [case for case in CASES if (case / "expected.err").exists()]
AVAILABILITY = [case for case in ANSWERED if (case / "arguments").read_text().startswith("availability")]


def arguments_of(case: Path) -> list[str]:
    command, *options = (case / "arguments").read_text().split()
    observed = ["--observed", str(case / "observed.csv")] if (case / "observed.csv").exists() else []
    return ["evaluate", command, str(case / "busy.csv"), *observed, *options]


def answer(case: Path) -> tuple[dict[str, Any], str]:
    found = CliRunner().invoke(application(), [*arguments_of(case), "--json"])
    assert found.exit_code == 0, found.output
    said: dict[str, Any] = json.loads(found.stdout)
    return said, found.stderr


def option(case: Path, name: str, otherwise: str) -> str:
    words = (case / "arguments").read_text().split()
    return words[words.index(name) + 1] if name in words else otherwise


def holds(part: Any, whole: Any, place: str = "") -> None:
    """Every figure of ``part`` is in ``whole``."""
    if isinstance(part, dict):
        for key, value in part.items():
            holds(value, whole[key], f"{place}.{key}")
    elif isinstance(part, float):
        assert whole == pytest.approx(part, abs=1e-6), place
    else:
        assert whole == part, place


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def test_every_case_says_what_is_expected() -> None:
    assert len(ANSWERED) >= 10
    assert len(REFUSED) >= 12
    assert sorted([*ANSWERED, *REFUSED]) == CASES
    assert all((case / "SOURCE").exists() for case in CASES)


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.name)
def test_an_answer(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    notes = expected.pop("said")
    found, said = answer(case)
    holds(expected, found)
    assert finite(found)
    assert [note for note in notes if note not in said] == []
    assert said.count("resilian: note: ") == len(notes)


@pytest.mark.parametrize("case", AVAILABILITY, ids=lambda case: case.name)
def test_rivals_are_those_of_a_plain_back_test(case: Path) -> None:
    observed = case / "observed.csv"
    window, first = int(option(case, "--window", "8h")[:-1]), int(option(case, "--first-weeks", "4"))
    timezone = option(case, "--timezone", "UTC")
    count, briers = plain_backtest.briers(
        case / "busy.csv", observed if observed.exists() else None, timezone, window, first
    )
    found, _ = answer(case)
    assert found["n"] == count
    assert {name: found["models"][name]["brier"] for name in briers} == pytest.approx(briers, abs=1e-9)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_refusal(case: Path) -> None:
    found = CliRunner().invoke(application(), arguments_of(case))
    assert isinstance(found.exception, Found)
    said = str(found.exception)
    assert (case / "expected.err").read_text().strip() in said
    assert "busy.csv" in said or "recording" in said or "local weeks" in said
    assert "\n" not in said
