"""One machine on the worker's floor: its model, the head of its history, its present, and what was said of it."""

from dataclasses import dataclass, field
from datetime import datetime

from analytics.derive import Present, Tail
from analytics.history import utc
from analytics.level import WeeklyPrior
from analytics.outlook import Live
from analytics.states import Learned, StateModel
from analytics.untold import untold
from fleet.batch import MachineKey
from fleet.network import Machine, Member
from fleet.records import HOUR_SECONDS, Finding, Outlook
from fleet.states import PRODUCING, STATES, UNKNOWN

_LIVE_FIELDS = {"state", "state_since", "last_reading"}
_REST_MS = 43_200_000
"""Work after a rest of half a day may change what is said of the machine."""
FRESH_MS = 60_000
"""The newest reading of the stored outlook is at most this much behind; a new state is written at once."""


@dataclass
class Desk:
    """What the worker keeps in memory of one machine.

    Attributes:
        learned: None until the worker has looked.
        everything: all hours are to be derived again, by a new model.
        booted: whether the head of the history is in memory.
        learn_due_ms: when to learn again, epoch ms; None: when the week turns.
        produced_ms: the last sign of work, epoch ms.
        since_ms: since when the present state is in force, as far as it is known.
        findings: in force, by rule.
        prior: what the member's other machines taught the rules of it the last time; None before.
    """

    key: MachineKey
    member: Member
    machine: Machine
    model: StateModel
    learned: Learned | None = None
    everything: bool = False
    booted: bool = False
    learn_due_ms: int | None = None
    tail: Tail = field(default_factory=Tail)
    present: Present | None = None
    since_ms: int | None = None
    produced_ms: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    prior: WeeklyPrior | None = None
    _outlook: str = ""
    _said: tuple[str, datetime | None] = ("", None)
    _said_ms: int = 0

    @property
    def feed_alive(self) -> bool:
        """Whether the machine was heard within its longest silence."""
        return self.present is not None and self.present.alive

    @property
    def inferable(self) -> bool:
        """Whether states rest on an accepted model; a published or counted one needs none."""
        told = {bucket.basis for bucket in self.tail.buckets.values()}
        return self.model.on_w is not None or bool(told & {"state", "counter"})

    @property
    def untold(self) -> str:
        """Why the states are not known although it speaks; "" when they are."""
        newest = self.tail.newest
        power = any(bucket.power_max_w is not None for bucket in self.tail.buckets.values())
        return untold(self.machine, self.learned or Learned(), newest.basis if newest else None, power=power)

    @property
    def state(self) -> int:
        """Code of the present state."""
        return UNKNOWN if self.present is None else self.present.state

    def due_ms(self) -> int | None:
        """When time alone changes something: the state, or the end of the running hour."""
        present = self.present
        due = [] if present is None or present.next_ms is None else [present.next_ms + 1]
        due += [(hour + HOUR_SECONDS) * 1000 for hour in self.unfinished()]
        return min(due, default=None)

    def unfinished(self) -> list[int]:
        """The newest hour, if it was not over when it was derived."""
        newest = self.tail.newest
        return [newest.hour] if newest is not None and sum(newest.seconds) < HOUR_SECONDS else []

    def first_dirty(self, hours: dict[int, int], now_ms: int) -> int:
        """The first hour to derive: with new readings, unfinished, or running."""
        return min([*hours, *self.unfinished(), now_ms // (HOUR_SECONDS * 1000) * HOUR_SECONDS])

    def now_is(self, present: Present) -> bool:
        """Take in the present; whether the rules should look again: the feed came or went, or work began anew."""
        before, worked_ms = self.present, self._worked_ms(present)
        revived = worked_ms - self.produced_ms > _REST_MS
        since = present.since_ms
        if since is None:
            since = self._since(present.state, self.since_ms if before and before.state == present.state else None)
        self.since_ms, self.present = since, present
        self.produced_ms = max(self.produced_ms, worked_ms)
        return before is None or before.alive != present.alive or revived

    def _worked_ms(self, present: Present) -> int:
        """When it was last at work: now, or the newest hour that says so, for it may have been between two looks."""
        if present.state == PRODUCING:
            return present.at_ms
        return 1000 * max((hour for hour, bucket in self.tail.buckets.items() if bucket.seconds[PRODUCING]), default=0)

    def live(self) -> Live:
        """The present in the words of an outlook."""
        last = self.present.last_ms if self.present else None
        since = None if self.since_ms is None else utc(self.since_ms / 1000)
        return Live(STATES[self.state].value, since, None if last is None else utc(last / 1000))

    def outlook_made(self, outlook: Outlook) -> None:
        """A new outlook, of which only the present will change until the next one."""
        self._outlook = outlook.model_dump_json(exclude=_LIVE_FIELDS)
        self._said = ("", None)

    def outlook_body(self, now_ms: int) -> str | None:
        """The outlook with the present in it, when that is worth writing now: a new state, or much newer a reading."""
        live = self.live()
        if not self._outlook:
            return None
        if self._said == (live.state, live.since) and now_ms - self._said_ms < FRESH_MS:
            return None
        self._said, self._said_ms = (live.state, live.since), now_ms
        times = f'"state_since":{_json(live.since)},"last_reading":{_json(live.last_reading)}'
        return f'{{"state":"{live.state}",{times},{self._outlook[1:]}'

    def _since(self, state: int, known_ms: int | None) -> int | None:
        """Back through unbroken hours of one state; what was known when they do not reach its beginning."""
        if known_ms is not None:
            return known_ms
        since: int | None = None
        for hour in sorted(self.tail.buckets, reverse=True):
            bucket = self.tail.buckets[hour]
            if not bucket.segments or bucket.segments[-1][1] != state:
                break
            if since is not None and hour + HOUR_SECONDS != since // 1000:
                break
            offset = bucket.segments[-1][0]
            since = (hour + offset) * 1000
            if offset:
                break
        return since


def _json(at: datetime | None) -> str:
    return "null" if at is None else f'"{at.isoformat()}"'
