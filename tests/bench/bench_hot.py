"""CPU of the collector's own part: decode, columns, key, spool. Run: ``python tests/bench/bench_hot.py [messages]``.

Prints one JSON object: microseconds of CPU a message and messages a second of wall clock, for decoding to columns
alone, with a commit for each burst, and with a commit for eight bursts.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from fleet.batch import MachineKey
from fleet.registry import Route, Routes
from ingest.hot import Gathering
from ingest.seen import Redeliveries
from ingest.spool import Limits, Spool

ROUNDS = 5
BURST = 600  # messages of 100 bytes in one socket read of 64 kB


class Message:
    """A delivery as the wire gives it."""

    __slots__ = ("duplicate", "packet_id", "payload", "retain", "topic")

    def __init__(self, topic: str, payload: bytes, packet_id: int) -> None:
        self.topic, self.payload, self.packet_id = topic, payload, packet_id
        self.retain = self.duplicate = False


def messages(count: int, machines: int) -> list[Message]:
    """Canonical readings of about 100 bytes."""
    now = time.time_ns() // 1_000_000
    made = []
    for number in range(count):
        reading = {
            "at": now - count + number, "state": "PRODUCING", "power_w": 3000.0 + number % 997, "count": number,
            "seq": number // machines, "boot": 3,
        }  # fmt: skip
        topic = f"m/member-{number % 30}/machine-{number % machines}/reading"
        made.append(Message(topic, json.dumps(reading).encode(), number % 65_000 + 1))
    return made


def registry(found: list[Message]) -> Any:
    """What the hot path needs of a registry."""
    routes, members = [], set()
    for topic in {message.topic for message in found}:
        _, member, machine, _ = topic.split("/")
        members.add(member)
        routes.append(Route(MachineKey(member, machine), topic, "canonical", None, ZoneInfo("UTC"), 1.0, 60.0))
    made = Routes(routes)
    zone = ZoneInfo("UTC")
    return SimpleNamespace(routes=lambda: made, members=dict.fromkeys(members), profiles={}, zone=lambda _: zone)


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(found: list[Message], path: Path, group: int, durable: bool) -> tuple[float, float]:
    """CPU and wall seconds a message, ``group`` bursts a commit."""
    spool = Spool(path, Limits())
    gathering = Gathering(registry(found), Redeliveries({}, 0))
    bursts = [found[start : start + BURST] for start in range(0, len(found), BURST)]
    began, wall = cpu(), time.perf_counter()
    for number, burst in enumerate(bursts):
        gathering.take(burst, 1, time.time_ns() // 1_000_000)
        if number % group == group - 1 or number == len(bursts) - 1:
            work = gathering.hand_over()
            if durable:
                spool.commit(work, 0)
    used = cpu() - began, time.perf_counter() - wall
    spool.close()
    return used[0] / len(found), used[1] / len(found)


def main(count: int) -> None:
    """Measure, print the best of several rounds: other programs only ever add."""
    found = messages(count, 300)
    result: dict[str, float] = {"messages": count, "bytes": len(found[0].payload)}
    with tempfile.TemporaryDirectory() as folder:
        for name, group, durable in (("decode", 1, False), ("burst", 1, True), ("gathered", 8, True)):
            rounds = [measured(found, Path(folder) / f"{name}-{n}.sqlite", group, durable) for n in range(ROUNDS)]
            result[f"{name}_us"] = round(min(used for used, _ in rounds) * 1e6, 2)
            result[f"{name}_per_s"] = round(1 / min(wall for _, wall in rounds))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
