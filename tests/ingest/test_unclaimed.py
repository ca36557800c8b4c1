"""How often a device without a machine is looked at: often enough to be up to date, too seldom to keep us busy."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest import rejects, schema
from ingest.unclaimed import LOOK_BYTES, LOOK_MS, Unclaimed, add_unclaimed, summary

NOW = 1_798_761_600_000
TOPIC = "m/acme/cabine-1/reading"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(schema.open_file(tmp_path / "spool.sqlite")) as opened:
        yield opened


def after(db: sqlite3.Connection, *messages: tuple[int, bytes]) -> dict[str, Any]:
    """The device after messages that came so many ms after ``NOW``."""
    sent = [Unclaimed("acme", TOPIC, NOW + at_ms, payload) for at_ms, payload in messages]
    add_unclaimed(db, rejects.Bounds(db), sent)
    [device] = summary(db, "acme")["devices"]
    found: dict[str, Any] = device
    return found


def test_a_guess_follows_the_device_from_one_span_to_the_next(db: sqlite3.Connection) -> None:
    wrong, right = b'{"power_w": "NaN"}', b'{"power_w": 3120}'
    assert after(db, (0, wrong))["guess"]["fault"]["field"] == "power_w"
    same = after(db, (LOOK_MS - 1, right))
    assert (same["guess"]["fault"]["field"], same["prefix"], same["messages"]) == ("power_w", right.decode(), 2)
    assert after(db, (LOOK_MS, right))["guess"]["fault"] is None


def test_large_payloads_are_looked_at_ever_more_seldom_and_the_largest_never(db: sqlite3.Connection) -> None:
    junk = b"x" * (3 * LOOK_BYTES)
    right = b'{"power_w": 3120, "note": "' + junk + b'"}'
    assert after(db, (0, junk))["guess"] is None
    start = 4 * LOOK_MS - NOW % (4 * LOOK_MS)
    assert after(db, (start - 1, junk))["guess"] is None
    assert after(db, (start - 1 + LOOK_MS // 2, right))["guess"] is not None
    huge = b'{"power_w": 1, "note": "' + b"x" * rejects.WHOLE_BYTES + b'"}'
    device = after(db, (start + 60 * LOOK_MS, huge))
    assert (device["guess"]["power_w"], device["messages"]) == (3120, 4)
