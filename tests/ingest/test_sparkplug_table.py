"""The table "Sparkplug B" of docs/reliability.md names a test for every requirement, and every name is there."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_requirement_has_its_tests() -> None:
    text = (
        (HERE.parents[1] / "docs" / "reliability.md").read_text().partition("## Sparkplug B")[2].partition("\n## ")[0]
    )
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    written = "".join(file.read_text() for file in HERE.glob("test_sparkplug_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)", written, re.MULTILINE))
    assert len(rows) >= 14
    for requirement, tests in rows:
        named = re.findall(r"`(\w+)`", tests)
        assert named, requirement
        assert [name for name in named if name not in there] == [], requirement
