"""What is remembered of one edge node: its births, its sequence, whether it lives."""

from dataclasses import dataclass, field
from typing import Final

from fleet.batch import NO_INT
from ingest.gaps.source import Source
from ingest.sparkplug.payload import Metric

FIRST_WAIT_MS: Final = 10_000
LOST_WAIT_MS: Final = 2_000
"""The first wait when the broker had lost its sessions: the node may not have connected again, and so not hear us."""
_LONGEST_DOUBLING: Final = 6  # 10 s, 20 s ... 640 s between two requests that change nothing
_SESSION: Final = NO_INT  # its life has no number of its own
_NAME_BYTES: Final = 200
"""What a name takes beside its characters, in memory and on disk."""
_REMEMBERED: Final = 128  # a message missing for longer than half of the sequence's circle is not awaited any more


@dataclass(slots=True)
class Birth:
    """The metrics that a birth defined; empty after the death.

    Attributes:
        names: name -> data type.
        aliases: alias -> name.
    """

    names: dict[str, int] = field(default_factory=dict)
    aliases: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: list[Metric]) -> "Birth":
        """What these metrics of a birth define."""
        born = cls()
        for metric in metrics:
            if metric.name:
                born.names[metric.name] = metric.datatype
                if metric.alias is not None:
                    born.aliases[metric.alias] = metric.name
        return born

    @property
    def weight(self) -> int:
        """Bytes that it takes, roughly."""
        return sum(map(len, self.names)) + _NAME_BYTES * len(self.names)

    def name_of(self, metric: Metric) -> str:
        """The name of a metric; "" when its alias is not known."""
        return metric.name or ("" if metric.alias is None else self.aliases.get(metric.alias, ""))


@dataclass(slots=True)
class Node:
    """An edge node.

    Attributes:
        online: between its birth and its death.
        bd: bdSeq of the last birth.
        number: of the last message since the birth, whose low eight bits are its seq; None before the first.
        newest_ms, heard_ms: the node's time of its newest live message, and when that arrived; 0 before the first.
        births: by device, "" being the node itself; a device stays after its death, with an empty birth.
        source: the numbers passed over, which may still come late; a life is a session of the node.
        asked_ms, asks: when a rebirth was asked for last, and how often since the last birth.
        wanted: why a birth is waited for; "" when none is.
        wait_ms: between the first two requests.
        weight: bytes that its births take, roughly.
    """

    online: bool = False
    bd: int | None = None
    number: int | None = None
    newest_ms: int = 0
    heard_ms: int = 0
    births: dict[str, Birth] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    asked_ms: int = 0
    asks: int = 0
    wanted: str = ""
    wait_ms: int = FIRST_WAIT_MS
    weight: int = 0

    def define(self, device: str, birth: Birth) -> None:
        """What a device ("": the node itself) is born with."""
        known = self.births.get(device)
        self.weight += birth.weight - (known.weight if known else -_NAME_BYTES - len(device))
        self.births[device] = birth

    def born(self, bd: int | None, seq: int | None, birth: Birth) -> None:
        """The node's birth: its devices have to be born again, and its numbers begin again."""
        self._unborn()
        self.define("", birth)
        self.online, self.bd, self.number = True, bd, seq
        self._end()
        self.asks, self.wanted, self.wait_ms = 0, "", FIRST_WAIT_MS

    def dead(self) -> None:
        """The node's death: nothing that it and its devices said holds any more."""
        self._unborn()
        self.online, self.number = False, None
        self._end()
        self.wanted, self.wait_ms = "", FIRST_WAIT_MS

    def row(self) -> tuple[bool, int | None, int | None, int, int]:
        """What of it is kept over a restart, beside the births."""
        return self.online, self.bd, self.number, self.newest_ms, self.heard_ms

    def follow(self, seq: int | None, at_ms: int, arrived_ms: int) -> int:
        """Go on to the sequence number of a message of the node's time ``at_ms``: how many are missing before it; -1
        for a missing one that comes late. The same number again is the same message again.
        """
        if seq is None or self.number is None:
            self.number = self.number if seq is None else seq
            return 0
        behind = (self.number - seq) & 255
        life = self.source.lives.get(_SESSION)
        if behind == 0:
            return 0
        if life is not None and behind < _REMEMBERED and life.lacks(self.number - behind):
            self.source.take(_SESSION, self.number - behind, at_ms, arrived_ms)
            return -1
        gap = 255 - behind
        if gap and life is None:
            self.source.begin(_SESSION, self.number, self.newest_ms or at_ms)
        elif life is not None:
            life.top, life.newest_ms = self.number, self.newest_ms
        self.number += gap + 1
        if gap:
            self.source.take(_SESSION, self.number, at_ms, arrived_ms)
        return gap

    def _unborn(self) -> None:
        devices, self.births, self.weight = self.births, {}, 0
        for device in devices:
            self.define(device, Birth())

    def _end(self) -> None:
        """The session is over: what is missing of it will not come any more."""
        if _SESSION in self.source.lives:
            self.source.end(_SESSION)

    def heard(self, at_ms: int, arrived_ms: int) -> None:
        """A live message of the node's time ``at_ms`` arrived."""
        if at_ms > self.newest_ms:
            self.newest_ms, self.heard_ms = at_ms, arrived_ms

    def now_ms(self, arrived_ms: int) -> int:
        """The node's own time at an arrival, later than its newest message: by the offset that message had, so clocks
        that differ and messages that had to wait at the broker leave the order as it was.
        """
        if not self.newest_ms:
            return arrived_ms
        return self.newest_ms + max(1, arrived_ms - self.heard_ms)

    def may_ask(self, now_ms: int) -> bool:
        """Whether a rebirth may be asked for now, which then counts as asked: at once, then ever more rarely."""
        wait_ms = self.wait_ms << min(max(self.asks - 1, 0), _LONGEST_DOUBLING)
        if self.asked_ms and now_ms - self.asked_ms < wait_ms:
            return False
        self.asked_ms = now_ms
        self.asks += 1
        return True
