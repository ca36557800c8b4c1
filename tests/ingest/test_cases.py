"""Every folder of ``tests/cases`` decodes to what it says; every format has some."""

import json
from pathlib import Path

import pytest

from ingest.decoders import formats
from tests.ingest.casefiles import ORIGINS, decoded, folders, origin


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_case(folder: Path) -> None:
    readings, faults = decoded(folder)
    expected = folder / "expected.json"
    assert readings == (json.loads(expected.read_text()) if expected.exists() else [])
    stated = folder / "expected.err"
    assert faults == (stated.read_text().splitlines() if stated.exists() else [])
    assert expected.exists() or stated.exists()
    assert origin(folder) in ORIGINS
    assert (folder / "SOURCE").read_text().partition(": ")[2].strip()


def test_every_format_has_cases() -> None:
    assert sorted({folder.parent.name for folder in folders()}) == formats()
