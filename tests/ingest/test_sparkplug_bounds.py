"""What the edge nodes of one member may take of the host's memory."""

import sqlite3

import pytest

from ingest.sparkplug import memory
from ingest.sparkplug.host import MAX_BIRTHS, MAX_NODES
from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.node import Node
from tests.ingest.edge import Edge
from tests.ingest.sparkplug_listener import NOW, Listener


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_nodes_of_a_member_are_bounded(listener: Listener) -> None:
    for number in range(MAX_NODES):
        listener.hear(Edge(node=f"n{number}").nbirth(NOW))
    assert listener.hear(Edge(node="more").nbirth(NOW)).refused[0][1][0].reason == "too_large"
    assert not listener.hear(Edge("zeta", "n").nbirth(NOW)).refused


def test_what_the_births_of_a_member_take_is_bounded(listener: Listener) -> None:
    names = {f"{'n' * 900}{number}": 1 for number in range(1_000)}
    size = sum(map(len, names))
    nodes = [Edge(node=f"n{number}") for number in range(MAX_BIRTHS // size)]
    heard = [listener.hear(node.nbirth(NOW, **names)) for node in nodes]
    refused = [each.refused[0][1][0].reason for each in heard if each.refused]
    assert set(refused) == {"too_large"}
    assert len(heard) - len(refused) > 20
    weight = sum(node.weight for node in nodes_of(listener).values())
    assert 0.9 * MAX_BIRTHS < weight <= MAX_BIRTHS
    # a birth again takes nothing more, another member has its own share, and a death makes room
    assert not listener.hear(nodes[0].nbirth(NOW, **names)).refused
    assert not listener.hear(Edge("zeta", "n").nbirth(NOW, **names)).refused
    assert listener.hear(nodes[-1].nbirth(NOW, **names)).refused
    listener.hear(nodes[0].ndeath())
    assert not listener.hear(nodes[-1].nbirth(NOW, **names)).refused


def nodes_of(listener: Listener) -> dict[NodeKey, Node]:
    """As they would be after a restart."""
    db = sqlite3.connect(":memory:")
    memory.load(db)
    memory.remember(db, listener.host.hand_over())
    return memory.load(db)
