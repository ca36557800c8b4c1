"""Publishers of many members as a process of its own; what the broker acknowledged is recorded on disk.

usage: python -m tests.faults.members --broker URL --ledger FILE --members a,b --rate N [--seconds S] [--machines N]

``--rate`` is messages a second of each member; 0 is as many as the broker takes. It ends after ``--seconds``, or at
SIGTERM, when every message is acknowledged.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bus.client import BrokerAddress, Session
from fleet.clock import now_ms
from fleet.topics import reading_topic

TICK_S = 0.01
_AHEAD = 5_000
"""Unacknowledged messages of a publisher that sends as many as the broker takes."""


class Members:
    """Publishes canonical readings in the name of several members, machine after machine."""

    def __init__(self, session: Session, ledger: IO[str], topics: list[tuple[str, str]]) -> None:
        self.sent = 0
        self._session = session
        self._ledger = ledger
        self._topics = topics
        self._boot = now_ms()
        self._newest: dict[str, int] = {}

    async def run(self, rate: int, stop: asyncio.Event) -> None:
        """Publish ``rate`` messages a second in all, until ``stop``; then wait for every PUBACK."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not stop.is_set():
            due = int((loop.time() - began) * rate) if rate else self.sent + _AHEAD - self._session.backlog
            while self.sent < due:
                self._publish(*self._topics[self.sent % len(self._topics)])
            await asyncio.sleep(TICK_S if rate else 0)  # the pace of the load, not a wait for anything
        await self._session.flush()

    def _publish(self, topic: str, machine: str) -> None:
        at, seq = max(now_ms(), self._newest.get(topic, 0) + 1), self.sent  # one reading a millisecond, as devices do
        self._newest[topic] = at
        self.sent += 1
        body = f'{{"at":{at},"state":"PRODUCING","power_w":{1000 + seq % 500},"seq":{seq},"boot":{self._boot}}}'
        self._session.publish(topic, body.encode(), done=self._recorder(topic, body, machine, at, seq))

    def _recorder(self, topic: str, body: str, machine: str, at: int, seq: int) -> Callable[[int | None], None]:
        def acknowledged(reason: int | None) -> None:
            if reason is None or reason < 128:
                digest = hashlib.sha256(body.encode()).hexdigest()
                line = {"topic": topic, "payload_sha256": digest, "machine": machine, "at": at, "seq": seq}
                self._ledger.write(json.dumps({**line, "boot": self._boot, "acked_at": now_ms()}) + "\n")

        return acknowledged


async def _main(options: argparse.Namespace) -> None:
    names = options.members.split(",")
    topics = [
        (reading_topic(member, f"machine-{number}"), f"machine-{number}")
        for number in range(options.machines)
        for member in names
    ]
    stop, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.seconds:
        loop.call_later(options.seconds, stop.set)
    name = f"members-{names[0]}-{options.ledger.stem}"
    session = Session(BrokerAddress.parse(options.broker), client_id=name)
    running = asyncio.create_task(session.run(ended))
    await session.wait_connected()
    with options.ledger.open("a", encoding="utf-8") as ledger:
        members = Members(session, ledger, topics)
        await members.run(options.rate * len(names), stop)
    ended.set()
    await running
    sys.stdout.write(json.dumps({"sent": members.sent}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--members", required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--machines", type=int, default=5)
    parser.add_argument("--nice", type=int, default=0, help="a flooding device has a computer of its own")
    options = parser.parse_args()
    os.nice(options.nice)
    asyncio.run(_main(options))


if __name__ == "__main__":
    main()
