"""The table "Bad input" of docs/reliability.md names a case for every line, and every name is there."""

import re
from pathlib import Path

from tests.ingest.casefiles import CASES, folders

ROOT = Path(__file__).parents[2]


def rows() -> list[tuple[str, list[str]]]:
    """Input, and the cases named for it."""
    text = (ROOT / "docs" / "reliability.md").read_text().partition("## Bad input")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [(line[0], re.findall(r"`([^`]+)`", line[2])) for line in lines if line[0] != "input"]


def test_every_line_has_its_cases() -> None:
    known = {str(folder.relative_to(CASES)) for folder in folders()}
    found = rows()
    assert len(found) >= 20
    for stated, cases in found:
        assert cases, stated
        missing = [one for one in cases if one not in known and not (ROOT / one).is_file()]
        assert missing == [], stated
