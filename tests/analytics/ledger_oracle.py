"""The ledger said again, slowly: every second of every hour by itself, from the rules and nothing of the ledger."""

import itertools
import math
from dataclasses import dataclass, field

from analytics.power_rule import PowerRule
from analytics.states import StateModel
from fleet.states import NO_STATE, OFF, PRODUCING, STANDBY, UNKNOWN


@dataclass
class Said:
    """One reading; times in whole seconds, None where a quantity is missing."""

    at: int
    state: int | None = None
    utilisation: float | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    counter: int | None = None


@dataclass
class Expected:
    """What an hour should be."""

    seconds: list[float] = field(default_factory=lambda: [0.0] * 7)
    states: list[int] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    pieces: int | None = None
    resets: int = 0
    readings: int = 0
    power_max_w: float | None = None
    energy_wh: float | None = None
    energy_by_state: list[float] = field(default_factory=lambda: [0.0] * 7)
    metered_s: int = 0

    @property
    def segments(self) -> tuple[tuple[int, int], ...]:
        pairs = enumerate(self.states)
        return tuple((second, state) for second, state in pairs if not second or state != self.states[second - 1])


class Oracle:
    """Everything that one machine said before ``now`` (whole seconds), one reading a second at most."""

    def __init__(self, said: list[Said], model: StateModel, now: int) -> None:
        self.said = sorted((one for one in said if one.at < now), key=lambda one: one.at)
        self.model, self.now = model, now
        self.silence = model.max_silence_ms // 1000
        self.deaths = [one.at for one in self.said if one.state == UNKNOWN]
        self.powers = self._power_levels()

    def expires(self, at: int) -> int:
        return min([at + self.silence, *(death for death in self.deaths if death >= at)])

    def before(self, second: int, quantity: str) -> list[Said]:
        return [one for one in self.said if one.at <= second and getattr(one, quantity) is not None]

    def published(self, second: int) -> int | None:
        """The state held: the newest published one, unless the feed fell silent or died after it."""
        held, alive_until = None, -math.inf
        for one in self.said:
            if one.at > second:
                break
            if one.at > alive_until:
                held = None
            if one.state is not None:
                held = None if one.state == UNKNOWN else one.state
            alive_until = one.at if one.state == UNKNOWN else one.at + self.silence
        return held

    def alive(self, second: int) -> bool:
        past = [one for one in self.said if one.at <= second]
        return bool(past) and past[-1].state != UNKNOWN and second < past[-1].at + self.silence

    def counted(self, second: int) -> int | None:
        """1, 0 or None: what the counter says of this second."""
        counts = [one for one in self.said if one.counter is not None]
        index = max((i for i, one in enumerate(counts) if one.at <= second), default=None)
        if index is None or second >= self.expires(counts[index].at):
            return None
        verdict = self._verdict(counts, index + 1) if index + 1 < len(counts) else None
        return verdict if verdict is not None else self._verdict(counts, index)

    def _verdict(self, counts: list[Said], index: int) -> int | None:
        """Of the interval that ends at the sample ``index``."""
        if not self._near(counts, index) or counts[index].counter < counts[index - 1].counter:  # type: ignore[operator]  # counters are there
            return None
        rises = [
            counts[i].at
            for i in range(1, index + 1)
            if self._near(counts, i) and counts[i].counter > counts[i - 1].counter  # type: ignore[operator]  # likewise
        ]
        return int(bool(rises) and (counts[index].at - rises[-1]) * 1000 <= self.model.cycle_ms)

    def _near(self, counts: list[Said], index: int) -> bool:
        return index > 0 and counts[index].at <= self.expires(counts[index - 1].at)

    def _power_levels(self) -> list[tuple[int, int]]:
        """(time, level in force from then on) of every power reading."""
        powers = [one for one in self.said if one.power_w is not None]
        levels: list[int] = []
        chains: list[bool] = []
        working, worked_at = False, -math.inf
        for index, one in enumerate(powers):
            assert one.power_w is not None
            rule = self._rule(one.at)
            first = index == 0 or one.at > self.expires(powers[index - 1].at)
            worked_at = -math.inf if first else worked_at
            if rule.on_w is not None and one.power_w >= rule.on_w:
                working = True
            elif first or (rule.off_w is not None and one.power_w < rule.off_w):
                working = False
            worked_at = one.at if working else worked_at
            works = working or (one.at - worked_at) * 1000 <= rule.pulse_ms
            level = PRODUCING if works else OFF if one.power_w < rule.idle_w else STANDBY
            levels.append(NO_STATE if rule.on_w is None else level)
            chains.append(first)
        settled: list[tuple[int, int]] = []
        for index, one in enumerate(powers):
            begins = chains[index] or levels[index] != levels[index - 1]
            following = index + 1 < len(powers)
            agrees = following and not chains[index + 1] and levels[index + 1] == levels[index]
            until = min(powers[index + 1].at if following else self.now, self.expires(one.at))
            counts = chains[index] or not begins or agrees or until - one.at >= 60
            settled.append((one.at, levels[index] if counts else settled[-1][1]))
        return settled

    def _rule(self, at: int) -> PowerRule:
        """The newest rule that has begun, or the first."""
        model = self.model
        newest = PowerRule(model.since_ms, model.on_w, model.off_w, model.idle_w, pulse_ms=model.pulse_ms)
        rules = [*model.before, newest]
        return next((rule for rule in reversed(rules) if rule.since_ms <= at * 1000), rules[0])

    def powered(self, second: int) -> int | None:
        past = [one for one in self.powers if one[0] <= second]
        return past[-1][1] if past and second < self.expires(past[-1][0]) else None

    def judge(self, second: int) -> tuple[int, str, float | None]:
        """State, basis and share of use of one second."""
        if not self.alive(second):
            return UNKNOWN, "none", None
        held = self.published(second)
        if held is not None:
            return held, "state", None
        uses = self.before(second, "utilisation")
        if uses and second < self.expires(uses[-1].at):
            share = uses[-1].utilisation
            assert share is not None
            return (PRODUCING if share > 0 else STANDBY), "state", share
        counted = self.counted(second) if self.model.counter else None
        if counted is not None:
            return (PRODUCING if counted else STANDBY), "counter", None
        powered = self.powered(second)
        if powered is not None and powered != NO_STATE:
            return powered, "power", None
        return UNKNOWN, "none", None

    def watts(self, second: int) -> float | None:
        energies = [one for one in self.said if one.energy_wh is not None]
        for left, right in itertools.pairwise(energies):
            rise = right.energy_wh - left.energy_wh  # type: ignore[operator]  # both are there
            if left.at <= second < right.at and right.at - left.at <= self.silence and rise >= 0:
                return rise * 3600 / (right.at - left.at)
        powers = self.before(second, "power_w")
        if self.alive(second) and powers and second < self.expires(powers[-1].at):
            return max(powers[-1].power_w or 0.0, 0.0)
        return None

    def lumps(self, hour: int) -> list[float]:
        """Energy of gaps that ended in the hour."""
        energies = [one for one in self.said if one.energy_wh is not None]
        found = []
        for left, right in itertools.pairwise(energies):
            rise = right.energy_wh - left.energy_wh  # type: ignore[operator]  # both are there
            if not hour <= right.at < hour + 3600 or right.at - left.at <= self.silence or rise < 0:
                continue
            if any(one.power_w is not None and left.at < one.at < right.at for one in self.said):
                found.append(0.0)
                continue
            powers = self.before(left.at, "power_w")
            held = max(min(self.expires(powers[-1].at), right.at) - left.at, 0) if powers else 0
            power = max(powers[-1].power_w or 0.0, 0.0) if powers else 0.0
            found.append(max(rise - power * held / 3600, 0.0))
        return found

    def hour(self, hour: int) -> Expected | None:
        """The hour, or None when nothing of it should be written."""
        end = min(hour + 3600, self.now)
        inside = [one for one in self.said if hour <= one.at < end]
        if not inside and not any(self.alive(second) for second in range(hour, end)):
            return None
        expected = Expected(readings=len(inside))
        energy: list[float] = self.lumps(hour)
        for second in range(hour, end):
            state, basis, share = self.judge(second)
            expected.states.append(state)
            if state != UNKNOWN:
                expected.bases.append(basis)
            if share is None:
                expected.seconds[state] += 1
            else:
                expected.seconds[PRODUCING] += share
                expected.seconds[STANDBY] += 1 - share
            watts = self.watts(second)
            if watts is not None:
                energy.append(watts / 3600)
                expected.energy_by_state[state] += watts / 3600
                expected.metered_s += 1
        expected.energy_by_state[UNKNOWN] += math.fsum(self.lumps(hour))
        expected.energy_wh = math.fsum(energy) if energy else None
        expected.power_max_w = max((one.power_w for one in inside if one.power_w is not None), default=None)
        counts = [one for one in self.said if one.counter is not None]
        energies = [one for one in self.said if one.energy_wh is not None]
        if any(one.counter is not None for one in inside):
            expected.pieces = 0
        for left, right in itertools.pairwise(counts):
            if hour <= right.at < end:
                rise = right.counter - left.counter  # type: ignore[operator]  # both are there
                expected.pieces = (expected.pieces or 0) + max(rise, 0)
                expected.resets += rise < 0
        for left, right in itertools.pairwise(energies):
            expected.resets += hour <= right.at < end and right.energy_wh < left.energy_wh  # type: ignore[operator]
        return expected
