"""Where the data of one machine ends, judged from what the broker retains and the store holds. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from accelerator.doctor_health import collectors, health_of
from accelerator.doctor_states import not_inferable
from fleet.batch import MachineKey
from fleet.network import Machine
from fleet.plausible import doubt
from fleet.topics import matches, nearest, reading_topic

Status = Literal["ok", "wrong", "unknown"]
_CLOCK_TOLERANCE_S: Final = 300.0
_COVERED: Final = 0.8
_STILL_MS: Final = 60_000
"""A good message so shortly after a refused one does not hide it: devices send several, and one is refused in part."""
_TOO_RARE: Final = 1.5
"""Jitter is no trouble: who is expected each minute may take some seconds more, and a gap begins at three times it."""
_SECONDS_AHEAD: Final = re.compile(r"(\d+) s ahead")
_RESEND: Final = (
    "let the device send again what it kept; if it keeps nothing, check its network and that the broker persists"
)
_TODO: Final = {
    "future": "set the device's clock by NTP, or the feed's time zone: resilian machine feed {key} --timezone ZONE; a "
    "clock that cannot be set is declared with --clock-ahead SECONDS",
    "time": "set the device's clock by NTP, and let it send its time as the format says",
    "json": "let the device send the format of its feed, or correct that: resilian machine feed {key} --format NAME",
    "topic": "let the feed name the topic that carries the readings: resilian machine feed {key} --topic TOPIC",
    "channel": "say which channel the machine is on in its feed",
    "format": "name a format there is: resilian machine feed {key} --format NAME",
}
_TODO_ELSE: Final = (
    "correct what the device sends, or its format: resilian machine feed {key} --format NAME; what was refused is "
    "kept, and `resilian rejects retry` reads it then"
)
_SAYS_ALL: Final = frozenset({"time", "channel"})
"""Reasons whose rules are sentences of their own."""


@dataclass(frozen=True)
class Step:
    """One link of the path. ``todo`` is what to do when it is broken."""

    name: str
    status: Status
    detail: str
    todo: str = ""


def judge_machine(
    key: MachineKey, machine: Machine, newest: Mapping[str, Any] | None, retained: Mapping[str, Any], at: datetime
) -> Step:
    """Where the data of one machine ends.

    Args:
        newest: its newest stored reading: ``at`` and ``arrived`` in epoch ms; of the day before it ``power_max_w``,
            ``coverage`` (0 to 1), ``median_s`` between readings and ``ahead_ms`` of its clock, or None, and
            ``conflicts``; ``basis`` of its newest hour and the ``model`` that was learned.
        retained: topic -> newest message of the programs.
    """
    name = "/".join(key)
    topics = [feed.topic for feed in machine.feeds] + [reading_topic(*key)]
    age_s = None if newest is None else at.timestamp() - newest["arrived"] / 1000
    refused = _newest_reject(retained.get(f"net/v1/rejects/{key.member}"), topics)
    since_ms = 0 if newest is None else newest["arrived"]
    if refused is not None and (age_s is None or age_s > 3 * machine.every or refused.get("at", 0) > since_ms):
        return _refused(name, key, refused)
    if newest is None and machine.offer is not None and machine.offer.kind == "declared":
        return Step(name, "ok", "a declared offer, without telemetry")
    if newest is None or age_s is None or age_s > 3 * machine.every:
        return _silent(name, key, topics, age_s, retained)
    return (
        _clock(name, key, machine, newest)
        or _gaps(name, key, retained, at)
        or _power(name, key, machine, newest)
        or _conflicts(name, newest)
        or (_refused(name, key, refused) if refused and refused.get("at", 0) > since_ms - _STILL_MS else None)
        or _coverage(name, machine, newest)
        or _states(name, key, machine, newest)
        or Step(name, "ok", f"newest reading {span(age_s)} old")
    )


def _newest_reject(rejects: Any, topics: list[str]) -> dict[str, Any] | None:
    newest = rejects.get("newest", []) if isinstance(rejects, dict) else []
    found: list[dict[str, Any]] = [row for row in newest if any(matches(topic, row["topic"]) for topic in topics)]
    return found[0] if found else None


def _refused(name: str, key: MachineKey, refused: Mapping[str, Any]) -> Step:
    field = f"field {refused['field']} = {refused['value']}" if refused.get("field") else ""
    rule = _in_spans(refused["rule"]) if refused.get("rule") else refused["reason"]
    if refused["reason"] == "future" and ": " in rule:  # the rule ends in what that means
        said = f"{rule.rpartition(': ')[2]} ({field})"
    else:
        must = "it must be " if refused.get("rule") and refused["reason"] not in _SAYS_ALL else ""
        said = f"{field}: {must}{rule}" if field else f"{must}{rule}"
    todo = _TODO.get(refused["reason"], _TODO_ELSE).format(key=" ".join(key))
    return Step(name, "wrong", f"its messages are refused: {said}", todo)


def _silent(name: str, key: MachineKey, topics: list[str], age_s: float | None, retained: Mapping[str, Any]) -> Step:
    unclaimed = retained.get(f"net/v1/unclaimed/{key.member}")
    devices = unclaimed.get("devices", []) if isinstance(unclaimed, dict) else []
    since = "has never sent anything" if age_s is None else f"is silent for {span(age_s)}"
    if devices:
        likest = nearest(topics[0], [device["topic"] for device in devices])
        guess = next(device for device in devices if device["topic"] == likest).get("guess") or {}
        take = f"--topic {guess.get('topic') or likest} --format {guess.get('format') or 'NAME'}"
        todo = (
            f"if that is its device, correct the topic in the device, or take its topic: resilian machine feed "
            f"{' '.join(key)} {take}"
        )
        detail = f"{since} on {topics[0]}, but {likest} speaks and belongs to no machine"
        return Step(name, "wrong", detail, todo)
    todo = (
        f"check the device's power, network, login and topic: it must publish to {topics[0]}; try its login with "
        f"`resilian doctor --member {key.member} --machine {key.machine} --as-device URL`"
    )
    return Step(name, "unknown" if age_s is not None else "wrong", since, todo)


def _clock(name: str, key: MachineKey, machine: Machine, newest: Mapping[str, Any]) -> Step | None:
    learned = newest.get("ahead_ms")
    ahead_s = (newest["at"] - newest["arrived"] if learned is None else learned) / 1000
    if abs(ahead_s) <= (_CLOCK_TOLERANCE_S if learned is not None else max(_CLOCK_TOLERANCE_S, 3 * machine.every)):
        return None
    doubt = "" if learned is not None else " (or it resends old readings)"
    detail = f"its clock is {span(abs(ahead_s))} {'ahead' if ahead_s > 0 else 'behind'}{doubt}"
    declared = round(ahead_s + sum(feed.clock_ahead_s for feed in machine.feeds[:1]))
    todo = (
        f"set the device's clock by NTP, or its feed's time zone; a clock that cannot be set is declared: "
        f"resilian machine feed {' '.join(key)} --clock-ahead {declared}"
    )
    return Step(name, "wrong", detail, todo)


def _gaps(name: str, key: MachineKey, retained: Mapping[str, Any], at: datetime) -> Step | None:
    """Numbered readings that never came, in the time zone of ``at``."""
    gaps = [health_of(retained, collector).get("gaps") or {} for collector in collectors(retained)]
    told = [each for one in gaps for each in one.get("machines", [])]
    mine = [each for each in told if (each["member"], each.get("machine")) == key]
    if not mine:
        return None
    lacking, restart = mine[0], mine[0].get("restart")
    if lacking["missing"] and lacking["ranges"]:
        return Step(name, "unknown", _lacking(lacking, at), _RESEND)
    if restart is None:
        return None
    detail = f"its seq began again at {restart['number']} after {restart['top']}, with the same boot"
    return Step(name, "unknown", detail, "let the device change `boot` at each start; the time of the start will do")


def _lacking(lacking: Mapping[str, Any], at: datetime) -> str:
    ranges = lacking["ranges"]
    first, last = min(gap["after"] for gap in ranges), max(gap["before"] for gap in ranges)
    times = [datetime.fromtimestamp(ms / 1000, at.tzinfo) for ms in sorted((first, last))]
    form = "%H:%M" if all(time.date() == at.date() for time in times) else "%Y-%m-%d %H:%M"
    after, before = (time.strftime(form) for time in times)
    spans = ", ".join(str(gap["first"]) + (f"-{gap['last']}" * (gap["last"] > gap["first"])) for gap in ranges[:3])
    more = ", ..." if len(ranges) > 3 else ""
    many = lacking["missing"]
    words = "reading is" if many == 1 else "readings are"
    return f"{many} {words} missing between {after} and {before} (seq {spans}{more})"


def _power(name: str, key: MachineKey, machine: Machine, newest: Mapping[str, Any]) -> Step | None:
    own = machine.rated_w or machine.calibration.working_w
    found = doubt(machine.trade, own, newest.get("power_max_w"))
    if found is None:
        return None
    drawn = f"its highest power of the last day is {found.highest_w:g} W"
    usual = f"where {found.usual_w:g} W are {'rated' if found.sure else f'usual for {machine.trade.value}'}"
    feed = f"resilian machine feed {' '.join(key)} --scale-w"
    if found.kind == "impossible":
        return Step(name, "wrong", f"{drawn} {usual}: impossible", f"correct the unit: {feed} FACTOR")
    if found.sure:
        return Step(name, "wrong", f"{drawn} {usual}: kW sent for W?", f"let it send watts, or say so: {feed} 1000")
    return Step(name, "unknown", f"{drawn} {usual}: off, or kW sent for W?", f"if it worked in that day: {feed} 1000")


def _states(name: str, key: MachineKey, machine: Machine, newest: Mapping[str, Any]) -> Step | None:
    found = not_inferable(" ".join(key), machine, newest)
    if found is None:
        return None
    if found.passing:
        return Step(name, "ok", f"speaks; {found.what}: {found.todo}")
    return Step(name, "unknown", found.what, found.todo)


def _conflicts(name: str, newest: Mapping[str, Any]) -> Step | None:
    if not (count := newest.get("conflicts", 0)):
        return None
    detail = f"readings of one instant contradicted each other {count} times in the last day; all are kept"
    return Step(name, "unknown", detail, "see that one device alone sends on this machine's topics")


def _coverage(name: str, machine: Machine, newest: Mapping[str, Any]) -> Step | None:
    median, coverage = newest.get("median_s"), newest.get("coverage")
    if median is not None and median > _TOO_RARE * machine.every:
        detail = f"it sends every {span(median)}, and every {span(machine.every)} is expected"
        todo = (
            "let it send more often, or raise `every` of the machine in its member's file; until then gaps are unknown"
        )
        return Step(name, "unknown", detail, todo)
    if coverage is not None and coverage < _COVERED:
        detail = f"it was heard during {coverage:.0%} of the last day"
        return Step(name, "unknown", detail, "check its radio and power; a relay in the plant bridges outages")
    return None


def _in_spans(rule: str) -> str:
    return _SECONDS_AHEAD.sub(lambda found: f"{span(float(found[1]))} ahead", rule)


def span(seconds: float) -> str:
    """A duration for people."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 0.99 * size:  # 59 min 58 s are an hour
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
