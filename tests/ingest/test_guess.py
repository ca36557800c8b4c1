"""A payload of a format is guessed to be of it: every case that reads without being told its channel."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fleet.batch import Reading
from fleet.topics import matches, slugify
from ingest.decoders import Context
from ingest.guess import Hint, guess, look_again, restored
from ingest.own import own_decoders
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
    assert found.format == folder.parent.name
    assert 0 < found.score <= 1
    assert matches(found.topic, (folder / "topic").read_text().strip())
    assert found.reason.startswith("reads ")
    assert slugify(found.name)


def test_what_is_refused_is_told_with_the_format_that_knows_it() -> None:
    payload = b'{"Time": "2026-12-31T23:59:00", "ENERGY": {"Power": "NaN"}}'
    found = guess("m/acme/booth1/tele/SENSOR", payload, NOW)
    assert found is not None
    assert (found.format, found.score, found.reads) == ("tasmota", 0.05, ())
    assert found.fault is not None
    assert (found.fault.field, found.fault.value) == ("ENERGY.Power", "NaN")
    assert found.reason.startswith("knows its shape; no time; refused ENERGY.Power: NaN: ")
    own = guess("m/acme/cabine/reading", b'{"power_w": "NaN"}', NOW)
    assert own is not None
    assert (own.format, own.fault and own.fault.field) == ("canonical", "power_w")


def test_a_local_time_is_judged_in_the_members_zone() -> None:
    topic, payload = (
        "m/acme/booth1/tele/SENSOR",
        b'{"Time": "2027-01-01T01:00:00", "ENERGY": {"Power": 3120, "Total": 2}}',
    )
    in_paris = guess(topic, payload, NOW, Hint(ZoneInfo("Europe/Paris")))
    elsewhere = guess(topic, payload, NOW)
    assert in_paris is not None
    assert elsewhere is not None
    assert (in_paris.behind_s, elsewhere.behind_s) == (0.0, -3600.0)


def test_a_later_message_renews_what_is_said_and_keeps_the_highest_power() -> None:
    topic = "m/acme/booth1/tele/SENSOR"

    def sent(power: object) -> bytes:
        return json.dumps({"Time": "2027-01-01T00:00:00", "ENERGY": {"Power": power, "Total": 2}}).encode()

    first = guess(topic, sent(3120), NOW)
    wrong = look_again(first, topic, sent("NaN"), NOW, Hint())
    mended = look_again(wrong, topic, sent(12), NOW, Hint())
    assert first is not None
    assert wrong is not None
    assert mended is not None
    assert (wrong.format, wrong.fault and wrong.fault.field, wrong.power_w) == ("tasmota", "ENERGY.Power", 3120)
    assert (mended.fault, mended.power_w, mended.score) == (None, 3120, first.score)
    assert look_again(mended, topic, b"Online", NOW, Hint()) == mended
    assert restored(json.loads(json.dumps(mended.body()))) == mended
    assert restored(json.loads(json.dumps(wrong.body()))) == wrong
    assert restored({"format": "tasmota", "score": 0.7, "reason": "of an older version"}) is None


def test_a_profile_of_the_fleets_own_is_guessed_too() -> None:
    text = """
title = "Press controller"
source = "its manual"
[[message]]
body = "text"
topic = "puissance"
[message.power_w]
path = "value"
units = { W = 1, kW = 1000 }
"""
    hint = Hint(own=own_decoders({"presse": text}))
    found = guess("m/acme/p/puissance", b"12.5 kW", NOW, hint)
    assert found is not None
    assert (found.format, found.power_w, found.topic) == ("presse", 12_500.0, "m/acme/p/puissance")


def test_what_a_device_wrote_is_made_readable_for_any_reader() -> None:
    found = guess("m/acme/x/tele/SENSOR", b'{"ENERGY": {"Power": "a\\u0000b", "Total": 2}}', NOW)
    assert found is not None
    assert found.fault is not None
    assert found.fault.value == "a\0b"
    assert found.body()["fault"]["value"] == "a\ufffdb"
    assert "\0" not in found.body()["reason"]


def test_a_decoder_that_fails_reads_nothing() -> None:
    def broken(topic: str, payload: bytes, context: Context) -> list[Reading]:
        raise RuntimeError("a fault of its own")

    hint = Hint(own={"broken": broken})
    found = guess("m/acme/x/reading", b'{"power_w": 3120}', NOW, hint)
    assert found is not None
    assert found.format == "canonical"
    assert look_again(found, "m/acme/x/reading", b'{"power_w": 3}', NOW, hint) is not None
