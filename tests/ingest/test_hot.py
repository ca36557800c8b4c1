"""Routing, columns, keys, redeliveries, retained messages, names that contradict the topic."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleet.batch import MachineKey, Reading, ReadingBatch
from fleet.registry import Registry, load
from ingest import routing
from ingest.decoders import Context, decoder
from ingest.hot import Gathering
from ingest.seen import Redeliveries, Seen
from ingest.spool import Work
from tests.ingest.messages import Message

NOW = 1_795_000_000_000
BOOTH = "m/acme/booth/reading"


@pytest.fixture
def gathering(registry: Registry) -> Gathering:
    return Gathering(registry, Redeliveries({}, 0))


def taken(gathering: Gathering, *messages: Message, epoch: int = 1, at: int = NOW) -> Work:
    """One burst, handed over."""
    gathering.take(messages, epoch, at)
    return gathering.hand_over()


def the_batch(work: Work) -> ReadingBatch:
    assert work.batch is not None
    return work.batch


def test_rows_of_many_machines(gathering: Gathering) -> None:
    work = taken(
        gathering,
        Message(BOOTH, b'{"at":1795000000000,"power_w":1,"metrics":{"x":1}}'),
        Message("m/zeta/booth/reading", b'[{"at":1794999999000,"count":2},{"at":1794999999001,"count":3}]'),
        Message("m/acme/saw-plug/tele/SENSOR", b'{"Time":"2026-11-01T10:00:00","ENERGY":{"Power":5}}'),
    )
    batch = the_batch(work)
    keys = [batch.machines[index] for index in batch.rows["machine"]]
    assert keys == [MachineKey("acme", "booth"), *[MachineKey("zeta", "booth")] * 2, MachineKey("acme", "saw")]
    assert batch.rows["at_ns"][0] // 1_000_000 == NOW
    assert batch.metrics == {0: '{"x":1.0}'}
    assert batch.rows["arrived_ms"].tolist() == [NOW] * 4
    assert batch.rows["counter"].tolist()[1:3] == [2, 3]
    assert batch.rows["power_w"][3] == 5
    assert len(set(batch.machines)) == len(batch.machines) == 3


def test_arrival_is_of_each_burst(gathering: Gathering) -> None:
    gathering.take([Message(BOOTH, b'{"power_w":1}'), Message(BOOTH, b"{}")], 1, NOW)
    gathering.take([Message(BOOTH, b"{}")], 1, NOW + 5)
    gathering.take([Message(BOOTH, b'[{"power_w":2},{"power_w":3}]')], 1, NOW + 9)
    assert the_batch(gathering.hand_over()).rows["arrived_ms"].tolist() == [NOW, NOW + 9, NOW + 9]


def test_one_reading_has_one_key(gathering: Gathering) -> None:
    """Alone, in an array, beside a bad element, written otherwise, delivered again: one key."""
    one = {"at": NOW, "power_w": 12.5, "seq": 4, "metrics": {"b": 2, "a": 1}}
    other = json.dumps({"seq": 4, "metrics": {"a": 1.0, "b": 2}, "power_w": 12.50, "at": "2026-11-18T11:06:40Z"})
    payloads = [json.dumps(one), json.dumps([one]), json.dumps([{"power_w": True}, one]), other]
    keys = {int(the_batch(taken(gathering, Message(BOOTH, p.encode()))).rows["at_ns"][0]) for p in payloads}
    assert len(keys) == 1
    different = the_batch(taken(gathering, Message(BOOTH, json.dumps({**one, "seq": 5}).encode())))
    assert int(different.rows["at_ns"][0]) not in keys


def test_readings_stamped_in_one_millisecond_are_all_kept_in_order(gathering: Gathering) -> None:
    """A backlog of messages without a time comes at once: a hash of a millionth would give some the same key."""
    first = [Message(BOOTH, json.dumps({"power_w": number}).encode()) for number in range(10_000)]
    again = [Message(BOOTH, json.dumps({"power_w": number}).encode()) for number in range(10_000, 20_000)]
    rows = [the_batch(taken(gathering, *messages)).rows for messages in (first, again)]
    keys = np.concatenate([some["at_ns"] for some in rows])
    assert (np.diff(keys) > 0).all()
    assert set((keys // 1_000_000).tolist()) == {NOW}


def test_two_channels_of_one_topic(gathering: Gathering) -> None:
    payload = b'{"Time":"2026-11-01T10:00:00","ENERGY":{"Power":[5,7]}}'
    batch = the_batch(taken(gathering, Message("m/acme/twin/SENSOR", payload)))
    assert {batch.machines[row["machine"]].machine: row["power_w"] for row in batch.rows} == {"left": 5, "right": 7}


def test_unclaimed_and_nobodys(gathering: Gathering) -> None:
    work = taken(
        gathering, Message("m/acme/new/thing", b"1"), Message("m/ghost/x/reading", b"2"), Message("m/BAD/x/y", b"3")
    )
    assert [(one.member, one.topic) for one in work.unclaimed] == [("acme", "m/acme/new/thing")]
    assert [(one.member, one.topic) for one in work.rejects] == [("", "m/ghost/x/reading"), ("", "m/BAD/x/y")]
    assert work.batch is None


def test_empty_payloads_are_nothing(gathering: Gathering) -> None:
    assert not taken(gathering, Message(BOOTH, b"", retain=True), Message("m/acme/x/y", b""))
    assert gathering.counts["empty"] == 2


def test_partial_arrays_keep_the_good(gathering: Gathering) -> None:
    work = taken(gathering, Message(BOOTH, b'[{"power_w":1},{"power_w":"2"},{"power_w":3}]'))
    assert the_batch(work).rows["power_w"].tolist() == [1, 3]
    assert [fault.element for fault in work.rejects[0].faults] == [1]


def test_a_redelivery_is_committed_once(registry: Registry) -> None:
    """Without device time a redelivery would be a second reading; rejects and unclaimed would count twice."""
    burst = [
        Message(BOOTH, b'{"power_w":1}', 1), Message(BOOTH, b'{"power_w":"x"}', 2), Message("m/acme/a/b", b"1", 3),
        Message(BOOTH, b'{"at":1795000000000,"power_w":1}', 4),
    ]  # fmt: skip
    first = Gathering(registry, Redeliveries({}, 1 << 32))
    work = taken(first, *burst)
    assert sorted(work.seen) == [1, 2, 3]
    again = Gathering(registry, Redeliveries(dict(work.seen), 2 << 32))  # the program was killed after the commit
    work = taken(again, *burst, at=NOW + 60_000)
    assert the_batch(work).rows["power_w"].tolist() == [1.0]  # the one with a time: its key makes it one
    assert (work.rejects, work.unclaimed, again.counts["repeated"]) == ([], [], 3)
    assert set(work.seen) == {1, 2, 3}  # still not known to be acknowledged
    third = taken(again, *burst, epoch=2, at=NOW + 90_000)
    assert len(the_batch(third)) == 1


def test_the_same_message_again_is_another_reading(gathering: Gathering) -> None:
    """On one connection a packet id comes back only when the broker has our PUBACK."""
    message = Message(BOOTH, b'{"power_w":1}', 1)
    assert len(the_batch(taken(gathering, message))) == 1
    assert len(the_batch(taken(gathering, message, at=NOW + 1000))) == 1
    other = replace(message, packet_id=2)
    assert len(the_batch(taken(gathering, other, epoch=2, at=NOW + 2000))) == 1


def test_after_as_many_deliveries_as_there_are_ids_nothing_is_a_redelivery(registry: Registry) -> None:
    from ingest.seen import REDELIVERED_FIRST, fingerprint

    message = Message(BOOTH, b'{"power_w":1}', 1)
    entries = {1: Seen(fingerprint(message.topic, message.payload), 5)}
    gathering = Gathering(registry, Redeliveries(entries, 1 << 32))
    gathering.redeliveries.begin(1, REDELIVERED_FIRST)
    assert len(the_batch(taken(gathering, message))) == 1


def test_a_new_session_forgets(registry: Registry) -> None:
    message = Message(BOOTH, b'{"power_w":1}', 1)
    gathering = Gathering(registry, Redeliveries({}, 0))
    taken(gathering, message)
    assert gathering.redeliveries.forget(2) == 2
    assert len(the_batch(taken(gathering, message, epoch=2))) == 1


def test_what_came_in_the_new_session_is_remembered(registry: Registry) -> None:
    old, new = Message(BOOTH, b'{"power_w":1}', 1), Message(BOOTH, b'{"power_w":2}', 2)
    gathering = Gathering(registry, Redeliveries({}, 1 << 32))
    taken(gathering, old)
    taken(gathering, new, epoch=2)
    assert gathering.redeliveries.forget(2) == (1 << 32) + 2
    assert taken(gathering, new, epoch=3).batch is None
    assert len(the_batch(taken(gathering, old, epoch=3))) == 1


def test_retained_messages_of_unknown_age(gathering: Gathering) -> None:
    timeless, timed = b'{"power_w":1}', b'{"at":1795000000000,"power_w":1}'
    assert not taken(gathering, Message(BOOTH, timeless, 1, retain=True)).batch
    assert gathering.counts["stale"] == 1
    assert len(the_batch(taken(gathering, Message(BOOTH, timed, 2, retain=True)))) == 1
    bad = Message(BOOTH, b"{", 3, retain=True)
    assert len(taken(gathering, bad).rejects) == 1
    assert not taken(gathering, replace(bad, packet_id=9), epoch=2).rejects  # it comes with every subscription


def test_the_topic_wins_over_names_in_the_payload(gathering: Gathering) -> None:
    told: list[tuple[str, str, str]] = []
    gathering.on_claim = lambda *event: told.append(event)
    batch = the_batch(
        taken(
            gathering,
            Message(BOOTH, b'{"power_w":1,"member":"zeta","machine":"booth"}'),
            Message(BOOTH, b'{"count":1}'),
        )
    )
    assert batch.machines == (MachineKey("acme", "booth"),)
    assert told == [(BOOTH, "member", "zeta")]
    assert gathering.counts["claims"] == 1


def test_names_in_a_refused_payload_are_an_event_of_its_own_topic(gathering: Gathering) -> None:
    told: list[tuple[str, str, str]] = []
    gathering.on_claim = lambda *event: told.append(event)
    bad = [b'{"power_w":"3","member":"zeta"}', b'{"power_w":"3","count":1,"machine":"saw"}']
    for payload in bad:
        taken(gathering, Message(BOOTH, payload), Message("m/zeta/booth/reading", b'{"power_w":1}'))
    assert told == [(BOOTH, "member", "zeta"), (BOOTH, "machine", "saw")]


def test_a_decoder_that_breaks_refuses_one_message(gathering: Gathering, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(topic: str, payload: bytes, context: Context) -> list[Reading]:
        raise ZeroDivisionError("never")

    monkeypatch.setattr(routing, "decoder", lambda name: broken if name == "tasmota" else hot_decoder(name))
    work = taken(gathering, Message("m/acme/saw-plug/tele/SENSOR", b"{}"), Message(BOOTH, b'{"count":1}'))
    assert work.rejects[0].faults[0].reason == "decoder"
    assert len(the_batch(work)) == 1


hot_decoder = decoder


def test_an_unknown_format_is_said(fleet: Path) -> None:
    path = fleet / "members" / "acme.toml"
    path.write_text(path.read_text().replace('"tasmota"', '"tasmotta"'))
    gathering = Gathering(load(fleet), Redeliveries({}, 0))
    fault = taken(gathering, Message("m/acme/saw-plug/tele/SENSOR", b"{}")).rejects[0].faults[0]
    assert fault[:3] == ("format", "format", "tasmotta")
    assert "tasmota" in fault.rule


def test_topics_are_remembered_within_bounds(gathering: Gathering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "REMEMBERED", 10)
    for number in range(35):
        taken(gathering, Message(f"m/acme/{number}/x", b"1"))
    assert len(gathering.routing.known) <= 10


def test_a_change_of_the_registry_counts_at_once(gathering: Gathering, fleet: Path) -> None:
    assert taken(gathering, Message("m/acme/new/reading", b'{"count":1}')).unclaimed
    path = fleet / "members" / "acme.toml"
    path.write_text(path.read_text() + '\n[[machines]]\nid = "new"\nname = "Neuf"\n')
    gathering.routing.use(load(fleet))
    assert len(the_batch(taken(gathering, Message("m/acme/new/reading", b'{"count":1}')))) == 1
    assert np.all(the_batch(taken(gathering, Message(BOOTH, b'{"count":1}'))).rows["machine"] == 0)


def test_a_long_topic_is_refused_and_neither_it_nor_an_unknown_one_is_remembered(gathering: Gathering) -> None:
    long = f"m/{next(iter(gathering.routing.members))}/x/{'t' * 60_000}"
    work = taken(gathering, Message(long, b"1"), Message("m/nobody/x/reading", b"1"))
    assert [len(reject.topic) for reject in work.rejects] == [512, 18]
    assert gathering.routing.known == {}
