"""What a device chooses freely (topics, names of fields, lengths of arrays) takes bounded memory, disk and time."""

from pathlib import Path

import pytest

from ingest.decoders import Context, DecodeError
from ingest.decoders.base import RULE_SHOWN, SHOWN
from ingest.decoders.canonical import MAX_FAULTY, decode
from ingest.rejects import LOOK_MS, LOOKED_BYTES
from ingest.spool import Spool
from ingest.unclaimed import Unclaimed, summary
from ingest.work import Work

NOW = Context(1_790_000_000_000)


def refused(payload: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode("m/a/b/reading", payload, NOW)
    return caught.value


def test_names_of_fields_are_cut() -> None:
    error = refused(b'{"metrics": {"%s": "x"}}' % (b"k" * 100_000))
    assert all(len(fault.field) <= SHOWN and len(fault.rule) <= RULE_SHOWN for fault in error.faults)


def test_a_metric_has_a_name_of_128_characters_at_most() -> None:
    assert decode("m/a/b/reading", b'{"metrics": {"%s": 1}}' % (b"k" * 128), NOW)
    refused(b'{"metrics": {"%s": 1}}' % (b"k" * 129))


@pytest.mark.parametrize("wrong", [b"{}", b'{"state":1,"count":"a","seq":"b","boot":"c"}'])
def test_an_array_of_faults_is_given_up_and_every_element_of_it_is_accounted_for(wrong: bytes) -> None:
    error = refused(b'[{"power_w": 1},' + b",".join([wrong] * 5_000) + b',{"power_w": 2}]')
    assert len(error.readings) == 1
    assert {fault.element for fault in error.faults} == set(range(1, 5_002))
    assert sum(fault.reason == "too_many" for fault in error.faults) == 5_001 - MAX_FAULTY


def test_a_few_faults_keep_the_good_readings_around_them() -> None:
    error = refused(b"[" + b",".join([b'{"power_w": 1}', b"{}"] * 400) + b"]")
    assert (len(error.readings), len(error.faults)) == (400, 400)


def test_what_is_looked_at_of_a_members_unclaimed_messages_is_bounded(tmp_path: Path) -> None:
    spool, small, at = Spool(tmp_path / "spool.sqlite"), b'{"power": 3}', 1_790_000_000_000

    def guessed(member: str) -> set[str]:
        devices = spool.call(lambda db, _: summary(db, member))["devices"]
        return {device["topic"] for device in devices if device["guess"]}

    def hear(at_ms: int, member: str, payloads: dict[str, bytes]) -> None:
        sent = [Unclaimed(member, topic, at_ms, payload) for topic, payload in payloads.items()]
        spool.commit(Work(unclaimed=sent), at_ms)

    large = b"[" + b",".join([small] * 2_000) + b"]"
    share = LOOKED_BYTES // len(large)
    flood = {f"m/flood/d{number}/x": large for number in range(2 * share)}
    hear(at, "flood", {"m/flood/huge/x": b"[" + b",".join([small] * 9_000) + b"]", **flood})
    assert guessed("flood") == set(list(flood)[:share])
    hear(at, "calm", {"m/calm/d/x": small})
    assert guessed("calm") == {"m/calm/d/x"}
    rest = dict(list(flood.items())[share:])
    hear(at + 60 * LOOK_MS, "flood", rest)
    assert guessed("flood") == set(flood)
    spool.close()
