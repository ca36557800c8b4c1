"""What the collector says of itself: the figures of ``net/v1/health/ingest``, and the errors worth a person's look."""

from collections import Counter, deque
from collections.abc import Collection
from typing import Any, Final

import numpy as np
import structlog

from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from fleet.registry import Watcher
from ingest.collector import Collector
from ingest.decoders import formats
from ingest.filling import Filling
from ingest.forwarder import Forwarder
from ingest.gaps.report import missing, named
from ingest.hot import Gathering
from ingest.level import Level
from ingest.shares import FLOOR, flooding
from ingest.thread import SpoolThread
from ingest.work import Work

_log = structlog.get_logger(__name__)
_BEATS_NAMED: Final = 30
"""So long a flooder is named after its last loud beat, for people who look once a minute."""
_BACKLOG_MS: Final = 3_600_000
_CLAIMS_SAID = 1_000


class Report:
    """Gathers figures; :meth:`figures` is what ingest adds to a health message.

    Attributes:
        errors: the newest sentences for people.
        contradictions: the newest payloads that named another member or machine than their topic, each pair once.
        broker_dropped: the newest of the broker's counts of messages that it threw away; at first what an earlier run
            knew, so that what was thrown away while we were not there is noticed, too. None when nothing is known.
        damages: how often part of the spool could not be read, since the start.
        filling: how long until the spool is full, and whose readings fill it.
    """

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=10)
        self.contradictions: deque[dict[str, Any]] = deque(maxlen=10)
        self.broker_dropped: int | None = None
        self.damages = 0
        self.filling = Filling()
        self._came: Counter[str] = Counter()
        self._claims: set[tuple[str, str, str]] = set()
        self._loads: Counter[str] = Counter()
        self._backlogs: Counter[str] = Counter()  # of these, what is older than an hour
        self._received = 0
        self._rate = 0.0
        self._loudest: dict[str, Any] | None = None
        self._floods: dict[str, tuple[dict[str, Any], int]] = {}

    def damaged(self, report: str) -> None:
        """Part of the spool could not be read."""
        _log.error("the spool was damaged", report=report)
        self.errors.append(report)
        self.damages += 1

    def batch(self, batch: ReadingBatch) -> None:
        """Count readings by member."""
        backlog = batch.rows["arrived_ms"] - batch.rows["at_ns"] // 1_000_000 > _BACKLOG_MS
        counted = [(self._came, batch.rows), *([(self._backlogs, batch.rows[backlog])] if backlog.any() else [])]
        for loads, rows in counted:
            counts = np.bincount(rows["machine"], minlength=len(batch.machines)).tolist()
            for key, count in zip(batch.machines, counts, strict=True):
                loads[key.member] += count

    def claim(self, topic: str, kind: str, name: str) -> None:
        """A payload names another member or machine than its topic; the topic won."""
        if len(self._claims) < _CLAIMS_SAID and (topic, kind, name) not in self._claims:
            self._claims.add((topic, kind, name))
            _log.warning("security: a payload contradicts its topic", topic=topic, field=kind, name=name)
            self.contradictions.append({"at": now_ms(), "topic": topic, "field": kind, "name": name})

    def dropped(self, payload: bytes) -> int:
        """Hear the broker's count of messages that it threw away; how many more they are than was known.

        The count begins anew with each life of the broker; ours does not, see ``broker_dropped``.
        """
        if not payload.isdigit():
            return 0
        before, count = self.broker_dropped, int(payload)
        self.broker_dropped = count
        if before is None:  # the first word of a broker, before we had a session that could have lost anything
            return 0
        more = count - before if count >= before else count
        if more:
            _log.error("the broker threw messages away: a queue is full", messages=more)
            self.errors.append(
                f"the broker threw {more} messages away: a queue was full, of some client, perhaps not ours"
            )
        return more

    def kept(self, work: Work) -> None:
        """Count refused and unclaimed messages by member, too: a flood need not be of readings."""
        self._loads.update(reject.member for reject in work.rejects)
        self._loads.update(message.member for message in work.unclaimed)

    def level(self, now_s: float, level: Level, room_bytes: int, full: bool) -> None:
        """How full the spool is, before each :meth:`beat`; see :meth:`ingest.filling.Filling.beat`."""
        self.filling.beat(now_s, level, room_bytes, self._came, full)

    def beat(self, received: int, seconds: float, loud: Collection[str]) -> None:
        """So many messages were received since the start; ``seconds`` since the last call; these members went apart.

        A flood of messages that are refused or nobody's is named, too; it makes no readings to set apart. Who sends a
        backlog goes apart, too, and is not named: history, or what a relay had kept, is no fault; nor is who went apart
        for the last of it, and sends little by now.
        """
        self._rate = round((received - self._received) / seconds, 1)
        self._received = received
        loads, self._loads = self._loads + self._came, Counter()
        self._came = Counter()
        backlogs, self._backlogs = self._backlogs, Counter()
        told: list[dict[str, Any]] = [
            {"member": member, "rate": round(count / seconds, 1), "share": round(count / loads.total(), 2)}
            for member, count in loads.most_common()
        ]
        self._loudest = told[0] if told else None
        rates = {member: count / seconds for member, count in loads.items()}
        named = {member for member in loud if rates.get(member, 0.0) > FLOOR} | flooding(rates)
        named -= {member for member in named if 2 * backlogs[member] > loads[member]}
        self._floods = {member: (one, left - 1) for member, (one, left) in self._floods.items() if left > 1}
        for one in told:
            if one["member"] in named:
                self._floods[one["member"]] = {**one, "apart": one["member"] in loud}, _BEATS_NAMED

    @property
    def flooders(self) -> list[dict[str, Any]]:
        """Who floods, or did within the last minute: member, rate, share, and whether with readings, which go apart."""
        return [one for one, _ in self._floods.values()]

    def figures(
        self, gathering: Gathering, thread: SpoolThread, collector: Collector, forwarder: Forwarder, watcher: Watcher
    ) -> dict[str, Any]:
        """The figures now; ``loudest`` sends most, those in ``loud`` flooded lately, with readings or anything else."""
        level, state = thread.level, forwarder.state
        errors = list(self.errors)
        errors += [f"the spool takes nothing: {collector.full}"] if collector.full else []
        errors += [f"registry: {problem}" for problem in watcher.current.problems[:5]]
        counts = {
            name: gathering.counts[name]
            for name in (
                "received", "rejected", "unclaimed", "repeated", "stale", "quiet", "empty", "ignored_fields",
                "uncertain", "claims",
            )
        }  # fmt: skip
        return {
            "store": {"ok": state.ok, "since": state.since, "error": state.error},
            **counts,
            "stored": forwarder.stored,
            "spool_batches": level.batches,
            "spool_bytes": level.bytes,
            "spool_readings": level.readings,
            **self.filling.figures(thread.limits.quota_bytes),
            "lag_ms": now_ms() - level.oldest_ms if level.oldest_ms else 0,
            "rate": self._rate,
            "loudest": self._loudest,
            "loud": [{**one, "waiting": level.apart[one["member"]]} for one in self.flooders],
            "broker_dropped": self.broker_dropped,
            "damages": self.damages,
            "quarantine": level.quarantine._asdict(),
            "full": collector.full or None,
            "contradictions": list(self.contradictions),
            "formats": sorted({*formats(), *watcher.current.profiles}),
            "sparkplug": gathering.sparkplug.figures(),
            "gaps": missing(named(gathering.numbers, gathering.sparkplug)),
            "errors": errors,
        }
