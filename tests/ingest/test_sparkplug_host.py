"""The host application: births, aliases, sequence, deaths, memory over a restart."""

import sqlite3
from typing import Any

import pytest

from fleet.batch import MachineKey
from fleet.registry import Registry
from ingest.gaps.numbers import Numbers
from ingest.gaps.report import missing, named
from ingest.hot import Gathering
from ingest.seen import Redeliveries
from ingest.sparkplug import memory
from ingest.sparkplug.host import Heard
from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.payload import Metric, Payload, encode, rebirth
from tests.ingest.edge import Edge, metric
from tests.ingest.messages import Message
from tests.ingest.sparkplug_listener import NOW, PRESS, Listener, born, routes


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_births_define_what_data_mean(listener: Listener, edge: Edge) -> None:
    assert listener.read(edge.nbirth(NOW)) == []
    birth = listener.read(edge.dbirth("press", NOW + 1, Power=10.0, State="EXECUTE"))
    assert birth == [{"machine": "press", "at": NOW + 1, "power_w": 10.0, "state": "PRODUCING"}]
    assert listener.read(edge.data("press", NOW + 2, Power=11.5)) == [
        {"machine": "press", "at": NOW + 2, "power_w": 11.5}
    ]
    assert listener.asked == []
    assert listener.host.counts["missing"] == 0


def test_the_sequence_wraps_without_a_gap(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    for number in range(600):
        listener.read(edge.data("press", NOW + number, Power=float(number)))
    assert (listener.host.counts["missing"], listener.asked) == (0, [])


def test_a_gap_is_counted_and_a_rebirth_asked_for(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    late = [edge.data("press", NOW + 1, Power=1.0) for _ in range(3)]
    assert len(listener.read(edge.data("press", NOW + 2, Power=2.0))) == 1
    assert listener.host.counts["missing"] == 3
    assert listener.asked == [(NodeKey("acme", "line"), "3 messages are missing before seq 6")]
    listener.read(late[1])
    assert listener.host.counts["late"] == 1
    listener.read(edge.data("press", NOW + 3, Power=2.0))
    assert listener.host.counts["missing"] == 3


def told(listener: Listener) -> dict[str, Any]:
    """What health says of the node's messages."""
    return missing(named(Numbers(), listener.host))


def test_missing_messages_are_told_as_readings_are(listener: Listener, edge: Edge) -> None:
    """By their place since the birth, so that a sequence that wraps names each message once; until the next birth."""
    born(listener, edge)
    for number in range(300):
        listener.read(edge.data("press", NOW + number, Power=1.0), NOW + number)
    late = [edge.data("press", NOW + 300 + number, Power=1.0) for number in range(4)]
    listener.read(edge.data("press", NOW + 304, Power=1.0), NOW + 304)
    [node] = told(listener)["machines"]
    assert node == {
        "member": "acme", "node": "line", "missing": 4, "restart": None,
        "ranges": [
            {"boot": None, "first": 303, "last": 306, "after": NOW + 299, "before": NOW + 304, "noticed": NOW + 304}
        ],
    }  # fmt: skip
    listener.read(late[1], NOW + 305)
    assert [(gap["first"], gap["last"]) for gap in told(listener)["machines"][0]["ranges"]] == [(305, 306), (303, 303)]
    born(listener, edge, NOW + 1_000)
    listener.read(edge.data("press", NOW + 1_001, Power=1.0), NOW + 1_001)
    assert (told(listener)["missing"], told(listener)["late"]) == (3, 1)


def test_the_same_message_twice_is_no_gap(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    message = edge.data("press", NOW + 1, Power=1.0)
    assert listener.read(message) == listener.read(message)
    assert listener.host.counts["missing"] == 0


def test_an_unknown_alias_is_refused_and_the_rest_kept(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    alias = edge.aliases["press/Power"]
    metrics = [metric("", 1.0, 999, typed=False), metric("", 5.0, alias, typed=False)]
    heard = listener.hear((edge.topic("DDATA", "press"), encode(Payload(NOW, edge.next_seq(), metrics))))
    [(route, [reading])] = heard.readings
    assert (route.machine, reading.power_w) == ("press", 5.0)
    [(key, [fault])] = heard.refused
    assert (key, fault.reason, fault.value) == (MachineKey("acme", "press"), "alias", "999")
    assert len(listener.asked) == 1


def test_metrics_with_name_and_type_need_no_birth(listener: Listener, edge: Edge) -> None:
    payload = encode(Payload(NOW, 7, [metric("Power", 12.0)]))
    assert listener.read((edge.topic("DDATA", "press"), payload)) == [{"machine": "press", "at": NOW, "power_w": 12.0}]
    assert [why for _, why in listener.asked] == ["DDATA without the node's birth"]


def test_a_node_dies_with_its_devices(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    dead = listener.read(edge.ndeath(), NOW + 5_000)
    assert dead == [{"machine": name, "at": NOW + 5_000, "state": "UNKNOWN"} for name in ("press", "oven")]
    assert listener.hear(edge.data("press", NOW + 6_000, Power=1.0), NOW + 6_000).refused  # its aliases died with it
    assert listener.host.counts["deaths"] == 1


def test_the_will_of_an_older_session_kills_nobody(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    old = edge.ndeath()
    edge.bd += 1
    born(listener, edge, NOW + 1_000)
    assert listener.read(old, NOW + 2_000) == []
    assert listener.read(edge.data("press", NOW + 3_000, Power=1.0), NOW + 3_000)
    assert (listener.host.counts["stale_deaths"], listener.host.counts["deaths"]) == (1, 0)
    assert listener.read(edge.ndeath(), NOW + 4_000)


def test_a_death_comes_after_the_newest_reading_in_the_nodes_own_time(listener: Listener, edge: Edge) -> None:
    """A clock that is two minutes ahead, or messages that waited an hour at the broker, leave the order as it was."""
    born(listener, edge, NOW)
    listener.read(edge.data("press", NOW + 120_000, Power=1.0), NOW)
    assert [each["at"] for each in listener.read(edge.ndeath(), NOW + 10_000)] == [NOW + 130_000] * 2
    behind = Edge(node="slow")
    slow = Listener(None, ("press", "spBv1.0/acme/+/slow/press", None))
    born(slow, behind, NOW - 3_600_000)
    slow.host.take(*behind.data("press", NOW - 3_000_000, Power=1.0), NOW)
    assert [each["at"] for each in slow.read(behind.ndeath(), NOW)] == [NOW - 2_999_999]


def test_a_device_dies_alone(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    assert listener.read(edge.ddeath("oven", NOW + 9_000), NOW + 9_100) == [
        {"machine": "oven", "at": NOW + 9_000, "state": "UNKNOWN"}
    ]
    assert listener.read(edge.data("press", NOW + 9_500, Power=1.0), NOW + 9_500)
    assert listener.hear(edge.data("oven", NOW + 9_600, Power=1.0), NOW + 9_600).refused
    assert listener.read(edge.dbirth("oven", NOW + 9_700, Power=2.0), NOW + 9_700)


def test_a_birth_tells_how_things_are_now(listener: Listener, edge: Edge) -> None:
    """A value that last changed before the death holds again from the birth on."""
    listener.hear(edge.nbirth(NOW))
    old = [metric("State", "EXECUTE", 1, NOW - 7_200_000), Metric("Power", 2, NOW - 60_000, 10, True, False, 13, 5.0)]
    found = listener.read((edge.topic("DBIRTH", "press"), encode(Payload(NOW, edge.next_seq(), old))))
    assert found == [
        {"machine": "press", "at": NOW, "state": "PRODUCING"},
        {"machine": "press", "at": NOW - 60_000, "power_w": 5.0},
    ]


def test_history_is_neither_live_nor_stamped(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    old = [Metric("Power", None, NOW - 3_600_000, 10, True, False, 13, 5.0)]
    topic = edge.topic("DDATA", "press")
    assert listener.read((topic, encode(Payload(NOW + 50_000, edge.next_seq(), old)))) == [
        {"machine": "press", "at": NOW - 3_600_000, "power_w": 5.0}
    ]
    assert listener.read(edge.ndeath(), NOW + 1_000)[0]["at"] == NOW + 1_000  # by the live messages' time


def test_two_machines_of_one_node(edge: Edge) -> None:
    node = "spBv1.0/acme/+/line"
    listener = Listener(None, ("left", node, "Left"), ("right", node, "power_w=Right/P"))
    metrics = [metric("bdSeq", 0), metric("Left/Power", 1.0, 1), metric("Right/P", 2.0, 2), metric("Right/Power", 3.0)]
    birth = listener.read((edge.topic("NBIRTH"), encode(Payload(NOW, 0, metrics))))
    assert [(each["machine"], each["power_w"]) for each in birth] == [("left", 1.0), ("right", 2.0)]
    assert [each["machine"] for each in listener.read(edge.ndeath(), NOW + 1)] == ["left", "right"]


def test_a_feed_that_names_one_kind_of_message_hears_all(edge: Edge) -> None:
    listener = Listener(None, ("press", "spBv1.0/acme/DDATA/line/press", None))
    listener.hear(edge.nbirth(NOW))
    assert listener.read(edge.dbirth("press", NOW, Power=1.0))
    assert listener.read(edge.ndeath(), NOW + 1) == [{"machine": "press", "at": NOW + 1, "state": "UNKNOWN"}]


def test_what_nobody_claims(listener: Listener, edge: Edge) -> None:
    assert listener.hear(edge.nbirth(NOW)).claimed  # it speaks of itself beside devices that machines have
    assert not listener.hear(edge.dbirth("other", NOW, Power=1.0)).claimed
    assert not listener.hear(Edge(node="elsewhere").nbirth(NOW)).claimed
    assert listener.hear((edge.topic("NCMD"), rebirth(NOW))) == Heard([], [], claimed=True)
    assert listener.host.is_claimed("spBv1.0/acme/DDATA/line/press")
    assert not listener.host.is_claimed("spBv1.0/acme/DDATA/line/other")


@pytest.mark.parametrize("tail", ["NDATA/line/press", "DDATA/line", "XDATA/line", "NDATA/", "DDATA/a/b/c", "NBIRTH"])
def test_topics_that_are_none(listener: Listener, tail: str) -> None:
    heard = listener.hear((f"spBv1.0/acme/{tail}", encode(Payload(NOW, 0, []))))
    assert [faults[0].reason for _, faults in heard.refused] == ["topic"]


def test_a_restart_of_ours_needs_no_rebirth(listener: Listener, edge: Edge) -> None:
    db = sqlite3.connect(":memory:")
    assert memory.load(db) == {}
    born(listener, edge)
    memory.remember(db, listener.host.hand_over())
    kept = edge.data("press", NOW + 1, Power=7.0)
    again = Listener(memory.load(db))
    assert again.read(kept) == [{"machine": "press", "at": NOW + 1, "power_w": 7.0}]
    assert (again.host.counts["missing"], again.asked) == (0, [])
    assert again.read(edge.ndeath(), NOW + 2_000)
    memory.remember(db, again.host.hand_over())
    third = Listener(memory.load(db))
    assert third.hear(edge.data("press", NOW + 3_000, Power=1.0), NOW + 3_000).refused
    assert third.host.figures()["online"] == 0


def test_a_gap_over_a_restart_is_counted(listener: Listener, edge: Edge) -> None:
    db = sqlite3.connect(":memory:")
    memory.load(db)
    born(listener, edge)
    memory.remember(db, listener.host.hand_over())
    late = edge.data("press", NOW + 1, Power=7.0)
    again = Listener(memory.load(db))
    again.read(edge.data("press", NOW + 2, Power=7.0))
    assert again.host.counts["missing"] == 1
    memory.remember(db, again.host.hand_over())
    third = Listener(memory.load(db))
    assert told(third)["missing"] == 1
    third.read(late)
    assert (told(third)["missing"], third.host.counts["late"]) == (0, 1)
    memory.remember(db, third.host.hand_over())
    assert told(Listener(memory.load(db)))["machines"] == []


def test_what_is_handed_over_does_not_change_any_more(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    handed = listener.host.hand_over()
    before = repr(handed)
    listener.read(edge.data("press", NOW + 1, Power=7.0))
    listener.read(edge.ndeath())
    assert repr(handed) == before


def test_what_is_delivered_again_after_its_commit_is_nothing(registry: Registry, edge: Edge) -> None:
    """It moves no sequence and makes no reading."""
    first = Gathering(registry, Redeliveries({}, 1 << 32))
    first.sparkplug.use(routes(("press", PRESS, None)))
    burst = [Message(*edge.nbirth(NOW), 1), Message(*edge.dbirth("press", NOW, Power=1.0), 2)]
    burst += [Message(*edge.data("press", NOW + number, Power=1.0), 3 + number) for number in range(3)]
    first.take(burst, 1, NOW)
    work = first.hand_over()
    assert work.batch is not None
    assert len(work.batch) == 4
    again = Gathering(registry, Redeliveries(dict(work.seen), 2 << 32), first.sparkplug)
    again.sparkplug.use(routes(("press", PRESS, None)))
    again.take(burst, 1, NOW + 1_000)
    assert again.hand_over().batch is None
    assert (again.counts["repeated"], again.sparkplug.counts["missing"]) == (5, 0)


def test_retained_messages_and_states_of_hosts_are_nothing(registry: Registry, edge: Edge) -> None:
    gathering = Gathering(registry, Redeliveries({}, 0))
    gathering.take([Message(*edge.nbirth(NOW), retain=True), Message("spBv1.0/STATE/scada", b"{}")], 1, NOW)
    assert not gathering.hand_over()
    assert (gathering.counts["stale"], gathering.counts["quiet"]) == (1, 1)
