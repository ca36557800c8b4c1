"""Edge nodes on disk, in the spool's file: written with the readings of the same burst, read at the start.

So data that come by alias after a restart of ours are read without a rebirth, and a gap over the restart is counted.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from ingest.gaps.source import Source
from ingest.sparkplug.node import Birth, Node


class NodeKey(NamedTuple):
    """Which edge node: the member (group id) and its own name."""

    member: str
    node: str


Row = tuple[bool, int | None, int | None, int, int]
"""online, bd, number, newest_ms, heard_ms of a node."""


class Changes(NamedTuple):
    """Nodes as they are now, births (by node and device) that are new, what is missing where that changed; written in
    another thread, so nothing in it changes any more.
    """

    nodes: dict[NodeKey, Row]
    births: dict[tuple[NodeKey, str], Birth]
    gaps: dict[NodeKey, str]


NOTHING: Final = Changes({}, {}, {})
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS sparkplug_node (member TEXT NOT NULL, node TEXT NOT NULL, online INTEGER NOT NULL,"
    " bd INTEGER, seq INTEGER, newest_ms INTEGER NOT NULL, heard_ms INTEGER NOT NULL, PRIMARY KEY (member, node))"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sparkplug_birth (member TEXT NOT NULL, node TEXT NOT NULL, device TEXT NOT NULL,"
    " body TEXT NOT NULL, PRIMARY KEY (member, node, device)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sparkplug_gap (member TEXT NOT NULL, node TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (member, node)) WITHOUT ROWID",
)


def load(db: sqlite3.Connection) -> dict[NodeKey, Node]:
    """Every node as it was at the last commit; a birth that cannot be read is asked for again in time."""
    for table in _TABLES:
        db.execute(table)
    nodes = {
        NodeKey(member, node): Node(bool(online), bd, number, newest_ms, heard_ms)
        for member, node, online, bd, number, newest_ms, heard_ms in db.execute("SELECT * FROM sparkplug_node")
    }
    for member, name, device, body in db.execute("SELECT * FROM sparkplug_birth"):
        node = nodes.get(NodeKey(member, name))
        if node is not None:
            node.define(device, _from_json(body))
    for member, name, body in db.execute("SELECT * FROM sparkplug_gap"):
        node = nodes.get(NodeKey(member, name))
        if node is not None:
            node.source = Source.of_row(json.loads(body))
    return nodes


def remember(db: sqlite3.Connection, changes: Changes) -> None:
    """Write what changed, in the transaction that makes the readings durable."""
    if not changes.nodes:
        return
    for table in _TABLES:  # a file that replaced a damaged one has none
        db.execute(table)
    db.executemany(
        "INSERT OR REPLACE INTO sparkplug_node VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*key, *row) for key, row in changes.nodes.items()],
    )
    db.executemany(
        "INSERT OR REPLACE INTO sparkplug_birth VALUES (?, ?, ?, ?)",
        [(*key, device, _to_json(birth)) for (key, device), birth in changes.births.items()],
    )
    db.executemany(
        "INSERT OR REPLACE INTO sparkplug_gap VALUES (?, ?, ?)", [(*key, body) for key, body in changes.gaps.items()]
    )


def forget(db: sqlite3.Connection, members: Iterable[str]) -> None:
    """The nodes of these members are another collector's now."""
    for member in members:
        for table in _TABLES:
            db.execute(table)
        for name in ("sparkplug_node", "sparkplug_birth", "sparkplug_gap"):
            db.execute(f"DELETE FROM {name} WHERE member = ?", (member,))  # noqa: S608 - names of our own


def _to_json(birth: Birth) -> str:
    return json.dumps({"names": birth.names, "aliases": list(birth.aliases.items())}, separators=(",", ":"))


def _from_json(body: str) -> Birth:
    found = json.loads(body)
    return Birth(found["names"], dict(found["aliases"]))
