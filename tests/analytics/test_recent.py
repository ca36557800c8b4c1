"""The owner sees what the last days and the present change; what is published does not move with them."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics import recent
from analytics.history import History
from analytics.outlook import NEAR_HOURS, Live
from analytics.refresh import Refreshed, Seat, refresh
from fleet.records import HourBucket
from fleet.states import PRODUCING, STANDBY
from gateway.publish import publish
from tests.analytics.machines import NETWORK, hours, local, machine, member

NOW = local(2026, 9, 9, 10)
SINCE = local(2026, 6, 8)


def moody(seed: int) -> list[HourBucket]:
    """Busy for about a day, then free for about a day, whatever the hour; free in the last ten hours."""
    random = np.random.default_rng(seed)
    states, state, at = {}, PRODUCING, SINCE
    while at < NOW:
        if random.random() < 1 / 24:
            state = STANDBY if state == PRODUCING else PRODUCING
        states[at.timestamp()] = state if at < NOW - timedelta(hours=10) else STANDBY
        at += timedelta(hours=1)
    return hours(SINCE, NOW, lambda start: states[start.timestamp()], machine=f"mill-{seed}")


@pytest.fixture(scope="module")
def buckets() -> list[HourBucket]:
    return [bucket for seed in range(3) for bucket in moody(seed)]


def refreshed(buckets: list[HourBucket], state: str, now: datetime = NOW) -> list[Refreshed]:
    machines = [machine(id=f"mill-{seed}", minimum_hours=3.0 + seed) for seed in range(3)]
    seats = [Seat(one, Live(state, now, now), True, True, {}) for one in machines]
    return refresh(member(*machines), NETWORK, seats, buckets, now)


def test_the_present_is_the_owners_alone(buckets: list[HourBucket]) -> None:
    idle, working = (refreshed(buckets, state)[0].outlook for state in ("STANDBY", "PRODUCING"))
    assert idle.free == working.free
    zone, day = ZoneInfo("Europe/Paris"), NOW.date()
    assert publish(idle, day, zone) == publish(working, day, zone)
    assert publish(idle, day, zone) == publish(idle.model_copy(update={"near": []}), day, zone)
    assert idle.near[0].start == working.near[0].start == idle.free[0].start
    assert idle.near[0].probability > working.near[0].probability + 0.2
    assert idle.free_to_owner[: len(idle.near)] == idle.near
    assert idle.free_to_owner[len(idle.near) :] == idle.free[len(idle.near) :]
    changed = idle.model_copy(update={"state": "PRODUCING", "state_since": NOW + timedelta(minutes=5)})
    assert changed.free_to_owner == idle.free  # what was told of a machine at rest does not hold for one at work
    assert all(window.start < NOW + timedelta(hours=NEAR_HOURS + 1) for window in idle.near)
    gap = [abs(a.probability - b.probability) for a, b in zip(idle.near, working.near, strict=True)]
    assert gap[-1] < gap[0] / 2


def test_an_unknown_state_leaves_what_recent_days_say(buckets: list[HourBucket]) -> None:
    told = refreshed(buckets, "UNKNOWN")[0].outlook
    known = refreshed(buckets, "STANDBY")[0].outlook
    assert told.near != known.near
    assert all(0.0 <= window.probability <= 1.0 for window in told.near)


def test_a_forecast_in_the_middle_of_an_hour(buckets: list[HourBucket]) -> None:
    told = refreshed(buckets, "STANDBY", NOW - timedelta(minutes=20))[0].outlook
    assert told.near[0].probability > told.free[0].probability


def seen(buckets: list[HourBucket], **changes: int) -> recent.Seen:
    end = int(NOW.timestamp())
    start = int(SINCE.timestamp()) + changes.get("later", 0)
    history = History.from_buckets(buckets, "Europe/Paris", start, end)
    return recent.Seen(history, np.zeros(len(history), np.bool_), 4, "STANDBY")


def test_closed_days_are_as_if_nobody_had_looked() -> None:
    plain = seen(moody(1))
    shut = plain.history.start + 3600 * np.arange(len(plain.history)) >= (NOW - timedelta(days=14)).timestamp()
    told = recent.corrections([plain._replace(closed=shut)], NOW, 24)[0]
    seconds = np.where(shut[:, None], np.eye(7)[PRODUCING] * 3600.0, plain.history.seconds)
    other = replace(plain.history, seconds=seconds, tail=np.where(shut, 0.0, plain.history.tail))
    np.testing.assert_array_equal(told, recent.corrections([recent.Seen(other, shut, 4, "STANDBY")], NOW, 24)[0])
    assert not np.array_equal(told, recent.corrections([plain], NOW, 24)[0])


def test_machines_on_different_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="not on one span"):
        recent.corrections([seen(moody(1)), seen(moody(2), later=3600)], NOW, 24)
    with pytest.raises(ValueError, match="do not reach"):
        recent.corrections([seen(moody(1))], NOW + timedelta(hours=3), 24)
    assert recent.corrections([], NOW, 24) == []


def test_what_one_member_teaches_does_not_reach_another(buckets: list[HourBucket]) -> None:
    """Whatever was made before, and for whom: an outlook follows from its own member's hours alone."""
    alone = refreshed(buckets, "STANDBY")
    one = machine(id="mill-4", minimum_hours=4.0)
    seats, rival = [Seat(one, Live("STANDBY", NOW, NOW), True, True, {})], member(one, slug="rival")
    theirs = [replace(bucket, member="rival") for bucket in moody(4)]
    told = refresh(rival, NETWORK, seats, theirs, NOW)
    assert refreshed(buckets, "STANDBY") == alone
    recent._weights.cache_clear()
    assert refresh(rival, NETWORK, seats, theirs, NOW) == told
