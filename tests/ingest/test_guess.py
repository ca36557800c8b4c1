"""A payload of a format is guessed to be of it: every case that reads without being told its channel."""

import json
from pathlib import Path

import pytest

from ingest.unclaimed import guess
from tests.ingest.casefiles import folders

NOW = 1_798_761_600_000


def readable() -> list[Path]:
    """Cases that are read whole, and need nothing that only a feed can say."""
    return [
        folder
        for folder in folders()
        if (folder / "expected.json").exists()
        and json.loads((folder / "expected.json").read_text())
        and not (folder / "expected.err").exists()
        and not (folder / "context.json").exists()
    ]


@pytest.mark.parametrize("folder", readable(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_the_format_is_guessed(folder: Path) -> None:
    found = guess((folder / "topic").read_text().strip(), (folder / "payload").read_bytes(), NOW)
    assert found is not None
    assert found["format"] == folder.parent.name
