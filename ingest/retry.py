"""Kept messages tried again: after a claim, a better profile, or a store that was wrong."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from fleet.batch import BatchCorrupt, ReadingBatch
from fleet.registry import Registry
from ingest.collector import Collector
from ingest.hot import Gathering
from ingest.merge import merge
from ingest.rejects import Kept, Kind, page
from ingest.seen import Redeliveries
from ingest.thread import SpoolThread
from ingest.work import Work

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class _Again:
    """A kept message as a delivery."""

    topic: str
    payload: bytes
    packet_id: int | None = None
    retain: bool = False
    duplicate: bool = False


async def retry(
    thread: SpoolThread, collector: Collector, registry: Registry, kind: Kind, member: str | None = None
) -> int:
    """Decode kept messages by the registry as it is; how many became readings (or, once claimed, plain rejects).

    What is still wrong stays as it was. Times are judged by when the message arrived.
    """
    gathering = Gathering(registry, Redeliveries({}, 0))
    after, repaired = 0, 0
    while True:
        messages = await thread.query(partial(page, kind=kind, member=member, after=after, limit=_PAGE))
        if not messages:
            return repaired
        after = messages[-1].id
        work = Work()
        batches = [batch for message in messages for batch in _tried(gathering, message, work)]
        if work.repaired:
            repaired += len(work.repaired)
            work.batch = merge(batches) if batches else None
            await collector.commit_more(work)


def _tried(gathering: Gathering, message: Kept, work: Work) -> list[ReadingBatch]:
    """The readings of one message, if it counts as repaired now."""
    if message.reason == "store":
        try:
            batch = ReadingBatch.from_bytes(message.payload)
        except BatchCorrupt:
            return []
        work.repaired.append(message.id)
        return [batch]
    gathering.take([_Again(message.topic, message.payload)], 0, message.at_ms)
    again = gathering.hand_over()
    if again.unclaimed or (again.rejects and message.kind == "reject"):
        return []
    work.repaired.append(message.id)
    work.rejects += again.rejects
    return [again.batch] if again.batch else []
