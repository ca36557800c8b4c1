"""The worker's bookkeeping by itself: deadlines, backlog, watermark, what is worth writing."""

import json
from datetime import UTC, datetime
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from analytics.backlog import Backlog
from analytics.derive import Present, Tail
from analytics.desk import Desk
from analytics.liveness import Deadlines
from analytics.notices import differing, payload_of
from analytics.states import StateModel
from fleet.batch import MachineKey
from fleet.records import Finding, FindingStatus, HourBucket, Outlook, Seconds7
from fleet.states import PRODUCING, STANDBY, UNKNOWN
from store.base import DirtyHour
from tests.analytics.machines import machine, member

A, B = MachineKey("acme", "a"), MachineKey("acme", "b")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 50)))), st.integers(0, 50))
def test_deadlines_are_a_sorted_dictionary(moves: list[tuple[str, int | None]], now: int) -> None:
    deadlines, plain = Deadlines[str](), dict[str, int]()
    for key, at in moves:
        deadlines.set(key, at)
        plain.pop(key, None)
        if at is not None:
            plain[key] = at
    assert deadlines.next_ms() == min(plain.values(), default=None)
    due = deadlines.pop_due(now)
    assert sorted(due) == sorted(key for key, at in plain.items() if at <= now)
    assert [plain[key] for key in due] == sorted(plain[key] for key in due)
    assert len(deadlines) == len(plain) - len(due)


def test_the_watermark_waits_for_the_oldest_arrival() -> None:
    backlog = Backlog(100, overlap_ms=50)
    assert (backlog.since_ms, backlog.watermark_ms, backlog.lag_ms(500)) == (50, 100, 0)
    backlog.add([DirtyHour(A, 3600, 200), DirtyHour(B, 3600, 300), DirtyHour(A, 7200, 400)])
    assert (len(backlog), backlog.watermark_ms, backlog.since_ms, backlog.lag_ms(500)) == (3, 200, 350, 300)
    backlog.done(A, backlog.hours(A, 10**9))
    assert (len(backlog), backlog.watermark_ms, A in backlog, B in backlog) == (1, 300, False, True)
    backlog.done(B, backlog.hours(B, 10**9))
    assert (len(backlog), backlog.watermark_ms) == (0, 400)


def test_rows_read_again_are_passed_over_unless_touched_again() -> None:
    backlog = Backlog(0, overlap_ms=1000)
    row = DirtyHour(A, 3600, 200)
    backlog.add([row])
    hours = backlog.hours(A, 10**9)
    backlog.add([row, DirtyHour(A, 3600, 250)])  # touched again while it is being derived
    backlog.done(A, hours)
    assert backlog.hours(A, 10**9) == {3600: 250}
    backlog.done(A, {3600: 250})
    backlog.add([row, DirtyHour(A, 3600, 250)])
    assert len(backlog) == 0


def test_hours_of_the_future_wait_for_their_time() -> None:
    backlog = Backlog(0, overlap_ms=0)
    backlog.add([DirtyHour(A, 3600, 10), DirtyHour(A, 7200, 10)])
    assert backlog.hours(A, 7_200_000) == {3600: 10}
    assert backlog.next_ms(A) == 3_600_001
    backlog.drop(A)
    assert (len(backlog), backlog.next_ms(A)) == (0, None)


def desk() -> Desk:
    return Desk(MachineKey("acme", "mill"), member(), machine(), StateModel())


def present(at_ms: int, state: int, since_ms: int | None = None, *, alive: bool = True) -> Present:
    return Present(at_ms, state, since_ms, None, at_ms, alive)


def test_the_rules_look_again_when_a_feed_comes_or_goes_or_work_begins_anew() -> None:
    one = desk()
    assert one.now_is(present(1000, STANDBY, 1000))
    assert not one.now_is(present(2000, STANDBY))
    assert one.since_ms == 1000
    assert one.now_is(present(90_000_000, PRODUCING, 90_000_000))  # the first work for more than half a day
    assert not one.now_is(present(90_001_000, STANDBY, 90_000_500))
    assert not one.now_is(present(90_002_000, PRODUCING, 90_001_500))
    assert one.now_is(present(95_000_000, UNKNOWN, 94_000_000, alive=False))


def test_the_rules_look_again_at_work_between_two_looks() -> None:
    one = desk()
    one.now_is(present(1000, STANDBY, 1000))
    idle, worked = (bucket(hour, state) for hour, state in ((86_400, STANDBY), (90_000, PRODUCING)))
    one.tail.update([idle])
    assert not one.now_is(present(90_000_000, STANDBY))
    one.tail.update([worked])
    assert one.now_is(present(90_001_000, STANDBY, 90_000_500))
    assert not one.now_is(present(90_002_000, STANDBY))


def bucket(hour: int, state: int) -> HourBucket:
    """An hour wholly in one state."""
    seconds = cast(Seconds7, tuple(3600.0 * (code == state) for code in range(7)))
    return HourBucket(
        member="acme", machine="mill", hour=hour, seconds=seconds, energy_wh=None, pieces=None, readings=1,
        conflicts=0, resets=0, power_max_w=None, basis="state", segments=((0, state),), carry="", model="m",
    )  # fmt: skip


def test_the_present_is_written_into_the_outlook_when_it_is_news() -> None:
    one = desk()
    one.now_is(present(1_000_000, STANDBY, 900_000))
    assert one.outlook_body(1_000_000) is None
    at = datetime(2026, 3, 2, tzinfo=UTC)
    one.outlook_made(
        Outlook(
            member="acme", machine="mill", as_of=at, weeks=0, state="UNKNOWN", state_since=None, last_reading=None,
            basis="state", utilisation=None, utilisation_calendar=None, coverage=0, shareable_hours_per_week=None,
            shareable_in_weeks=None, weekly=[], grid=[None] * 168, grid_coverage=[0.0] * 168, free=[], window_hours=8,
            model="m",
        )
    )  # fmt: skip
    body = one.outlook_body(1_000_000)
    assert body is not None
    told = Outlook.model_validate_json(body)
    assert (told.state, told.as_of) == ("STANDBY", at)
    assert told.state_since == datetime.fromtimestamp(900, UTC)
    assert one.outlook_body(1_000_100) is None  # nothing new
    one.now_is(present(1_001_000, PRODUCING, 1_000_500))
    assert json.loads(one.outlook_body(1_001_000) or "{}")["state"] == "PRODUCING"
    one.now_is(present(1_070_000, PRODUCING))
    assert json.loads(one.outlook_body(1_070_000) or "{}")["last_reading"] == "1970-01-01T00:17:50+00:00"


def test_a_tail_knows_where_it_cannot_begin() -> None:
    model = StateModel()
    assert Tail().entry(3600, model) is None
    assert Tail(whole=True).entry(3600, model) == (3600, "")


def test_what_is_said_of_a_machine_that_is_clear() -> None:
    finding = Finding(
        member="acme", machine="mill", rule="r", status=FindingStatus.CLEAR, since=datetime(2026, 3, 2, tzinfo=UTC),
        reason="used", evidence={},
    )  # fmt: skip
    assert payload_of(finding) == b""
    assert differing({"r": finding, "old": finding}, [finding]) == ([], ["old"])
    assert differing({}, [finding]) == ([finding], [])
