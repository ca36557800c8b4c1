"""When the host application asks a node for its births, and asks again."""

import pytest

from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.node import FIRST_WAIT_MS
from ingest.sparkplug.payload import parse, rebirth
from tests.ingest.edge import Edge
from tests.ingest.sparkplug_listener import NOW, Listener, born


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def edge() -> Edge:
    return Edge()


def asked_at(listener: Listener, begin: int, end: int) -> list[int]:
    """Seconds since ``begin`` of the requests that reminders bring, one a second."""
    found = []
    for at in range(begin, end, 1_000):
        before = len(listener.asked)
        listener.host.remind(at)
        found += [(at - begin) // 1_000] * (len(listener.asked) - before)
    return found


def test_data_without_a_birth_ask_for_it_ever_more_rarely(listener: Listener, edge: Edge) -> None:
    edge.dbirth("press", NOW, Power=1.0)
    at, asked_at = NOW, []
    for _ in range(3_000):
        before = len(listener.asked)
        assert listener.hear(edge.data("press", NOW, Power=1.0), at).refused
        asked_at += [at - NOW] if len(listener.asked) > before else []
        at += 1_000
    assert asked_at == [0, 10_000, 30_000, 70_000, 150_000, 310_000, 630_000, 1_270_000, 1_910_000, 2_550_000]
    born(listener, edge, at)
    edge.next_seq()
    listener.hear(edge.data("press", NOW, Power=1.0), at + FIRST_WAIT_MS)
    assert listener.asked[-1][1] == "1 messages are missing before seq 4"


def test_after_a_lost_session_every_living_node_is_asked(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    listener.hear(Edge(node="dead").ndeath())
    listener.host.doubt(NOW, "the broker lost our session")
    assert listener.asked == [(NodeKey("acme", "line"), "the broker lost our session")]


def test_a_request_that_brings_no_birth_is_made_again_ever_more_rarely(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    assert asked_at(listener, NOW, NOW + 60_000) == []
    edge.next_seq()
    listener.read(edge.data("press", NOW, Power=1.0))
    assert asked_at(listener, NOW, NOW + 100_000) == [10, 30, 70]
    assert {why for _, why in listener.asked} == {"1 messages are missing before seq 4"}
    born(listener, edge, NOW + 100_000)
    assert asked_at(listener, NOW + 100_000, NOW + 10_000_000) == []


def test_after_a_lost_session_a_node_that_was_not_there_is_asked_soon_again(listener: Listener, edge: Edge) -> None:
    """It comes back to the broker later than we do, and what is sent to nobody is gone."""
    born(listener, edge)
    listener.host.doubt(NOW, "the broker lost our session")
    assert len(listener.asked) == 1
    assert asked_at(listener, NOW, NOW + 500_000) == [2, 6, 14, 30, 62, 126, 254, 382]
    born(listener, edge, NOW + 500_000)
    listener.host.doubt(NOW + 501_000, "the broker lost our session")
    listener.host.doubt(NOW + 502_000, "the broker lost our session")  # it fell again
    assert asked_at(listener, NOW + 502_000, NOW + 503_000) == []
    assert asked_at(listener, NOW + 503_000, NOW + 510_000) == [0, 4]


def test_nobody_waits_for_the_birth_of_the_dead(listener: Listener, edge: Edge) -> None:
    born(listener, edge)
    listener.host.doubt(NOW, "the broker lost our session")
    listener.read(edge.ndeath(), NOW + 1_000)
    assert asked_at(listener, NOW, NOW + 1_000_000) == []


def test_the_request_for_a_rebirth() -> None:
    [wish] = parse(rebirth(NOW)).metrics
    assert (wish.name, wish.datatype, wish.raw) == ("Node Control/Rebirth", 11, 1)
