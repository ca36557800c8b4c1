"""The pure parts: what is published, drawn and said."""

from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from fleet import states
from fleet.network import Calendar, Day, Shift
from fleet.records import FreeWindow, HourBucket
from gateway import catalog, web
from gateway.calendar_words import calendar_lines
from gateway.draw.bar import from_windows, window_bar
from gateway.draw.grid import week_grid
from gateway.draw.runs import Run, runs_of
from gateway.draw.strip import envelope, strip
from gateway.present import Present, bridged, told
from gateway.publish import Window, chance_class, halves, is_due, publish, publishing_day
from gateway.words import words
from tests.gateway import world

PARIS = ZoneInfo("Europe/Paris")
FR, DE, EN = (words(language, "Europe/Paris") for language in catalog.LANGUAGES)


def bucket(hour: int, *segments: tuple[int, int], passed: int = 3600) -> HourBucket:
    seconds = [0.0] * 7
    for (offset, code), end in zip(segments, [*(s[0] for s in segments[1:]), passed], strict=True):
        seconds[code] += end - offset
    return HourBucket("m", "x", hour, tuple(seconds), None, None, 1, 0, 0, None, "state", segments, "", "1")  # type: ignore[arg-type]  # seven seconds, as the tuple says


def test_runs_have_no_hole_and_missing_hours_are_unknown() -> None:
    found = runs_of([bucket(3600, (0, 0), (1800, 2)), bucket(10_800, (0, 2), passed=600)], 0, 14_400)
    assert found == [
        Run(0, 3600, states.UNKNOWN),
        Run(3600, 5400, states.PRODUCING),
        Run(5400, 7200, states.STANDBY),
        Run(7200, 10_800, states.UNKNOWN),
        Run(10_800, 11_400, states.STANDBY),
        Run(11_400, 14_400, states.UNKNOWN),
    ]
    assert sum(run.end - run.start for run in found) == 14_400
    assert runs_of([], 0, 60) == [Run(0, 60, states.UNKNOWN)]


def test_a_short_last_gap_is_bridged_and_a_long_one_is_not() -> None:
    runs = [Run(0, 100, states.STANDBY), Run(100, 130, states.UNKNOWN)]
    assert bridged(runs, 60) == [Run(0, 130, states.STANDBY)]
    assert bridged(runs, 10) == runs


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(1.0, 9), (0.9, 9), (0.8999, 8), (0.8, 8), (0.7999, 6), (2 / 3, 6), (0.6666, None), (0.0, None)],
)
def test_classes_are_never_rounded_up(probability: float, expected: int | None) -> None:
    assert chance_class(probability) == expected


def windows(day: datetime, opens: int, closes: int, hours: int, chance: float = 0.95) -> list[FreeWindow]:
    return [
        FreeWindow(start=day + timedelta(hours=hour), end=day + timedelta(hours=hour + hours), probability=chance)
        for hour in range(opens, closes - hours + 1)
    ]


@pytest.mark.parametrize(
    ("opens", "closes", "hours", "expected"),
    [
        (5, 21, 8, [(5, 13), (13, 21)]),
        (8, 16, 8, [(8, 16)]),
        (6, 22, 4, [(6, 14), (14, 22)]),
        (7, 17, 8, [(7, 17)]),
        (0, 24, 24, [(0, 24)]),
    ],
)
def test_half_days_follow_the_offered_calendar(
    opens: int, closes: int, hours: int, expected: list[tuple[int, int]]
) -> None:
    day = datetime(2026, 3, 3, tzinfo=PARIS)
    found = halves(windows(day, opens, closes, hours), hours, PARIS)
    assert [
        ((start - day) // timedelta(hours=1), (end - day) // timedelta(hours=1)) for start, end, _ in found
    ] == expected


def test_published_bounds_do_not_depend_on_what_the_machine_did() -> None:
    now = datetime(2026, 3, 2, 7, tzinfo=PARIS)
    outlook = world.outlook(now)
    free = [
        w
        for ahead in range(16)
        for w in windows(datetime(2026, 3, 2 + ahead, tzinfo=PARIS), 5, 21, 8, 0.5 + ahead / 32)
    ]
    published = publish(outlook.model_copy(update={"free": free, "window_hours": 8.0}), now.date(), PARIS)
    days = {window.start.astimezone(PARIS).date() for window in published.windows}
    assert min(days) >= now.date() + timedelta(days=2)
    assert max(days) <= now.date() + timedelta(days=14)
    assert {window.start.astimezone(PARIS).hour for window in published.windows} == {5, 13}
    assert {window.chance for window in published.windows} <= {9, 8, 6}


def test_nothing_is_published_twice_a_day_but_for_late_history() -> None:
    day = date(2026, 3, 4)
    outlook = world.outlook(datetime(2026, 3, 4, 8, tzinfo=PARIS))
    first = publish(outlook, day, PARIS)
    assert not is_due(first, outlook.model_copy(update={"free": []}), day)
    weekly = [*outlook.weekly, {**outlook.weekly[-1], "monday": "2026-03-02", "coverage": 0.9}]
    assert not is_due(first, outlook.model_copy(update={"weekly": weekly}), day), "this week is not history"
    weekly = [*outlook.weekly, {**outlook.weekly[-1], "monday": "2025-11-03", "coverage": 0.9}]
    assert is_due(first, outlook.model_copy(update={"weekly": weekly}), day)
    assert is_due(first, outlook, day + timedelta(days=1))
    assert is_due(None, outlook, day)


def test_the_publishing_day_begins_at_six_local() -> None:
    assert publishing_day(datetime(2026, 7, 1, 3, 59, tzinfo=UTC), PARIS) == date(2026, 6, 30)
    assert publishing_day(datetime(2026, 7, 1, 4, 0, tzinfo=UTC), PARIS) == date(2026, 7, 1)


def test_half_days_over_a_change_of_clock_keep_local_hours() -> None:
    day = datetime(2026, 3, 29, tzinfo=PARIS)  # 23 hours long
    given = [
        FreeWindow(start=day.replace(hour=hour), end=day.replace(hour=hour + 8), probability=0.9)
        for hour in range(5, 14)
    ]
    found = halves(given, 8, PARIS)
    assert [(start.hour, end.hour) for start, end, _ in found] == [(5, 13), (13, 21)]


def test_window_bar_writes_its_class_and_leaves_the_rest_empty() -> None:
    window = Window(
        start=datetime(2026, 3, 3, 12, tzinfo=UTC), end=datetime(2026, 3, 3, 20, tzinfo=UTC), hours=8, chance=9
    )
    morning, afternoon = window_bar(from_windows([window]), date(2026, 3, 2), 13, FR)
    assert [cell.label for cell in afternoon.cells] == ["", "9"] + [""] * 11
    assert not any(cell.label for cell in morning.cells)
    assert afternoon.cells[1].text == "mardi 3 mars 13\u202fh \u2013 21\u202fh\u00a0: 9 fois sur 10"


def test_week_grid_marks_coverage_and_closed_hours() -> None:
    shares: list[float | None] = [0.5] * 168
    shares[3] = None
    seen, closed = [1.0] * 168, [False] * 168
    seen[4], closed[5] = 0.2, True
    rows = week_grid(shares, seen, closed)
    assert [cell.kind for cell in rows[0][2:6]] == ["b5", "none", "b5 thin", "b5 closed"]
    assert len(rows) == 7
    with pytest.raises(ValueError, match="168"):
        week_grid(shares[:-1], seen, closed)


def test_strip_escapes_names_and_marks_now() -> None:
    drawn = strip([Run(0, 86_400, states.UNKNOWN)], 0, 86_400, words=FR, title='<Tour "1">')
    assert "&lt;Tour &#34;1&#34;&gt;" in drawn
    assert "pat-unknown" in drawn
    assert "maintenant" in drawn


def test_words_of_each_language() -> None:
    at = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    assert FR.moment(at) == "dimanche 1er mars, 13\u202fh\u202f05"
    assert DE.moment(at) == "Sonntag, 1. März, 13:05"
    assert EN.moment(at) == "Sunday 1 March, 13:05"
    assert FR.power(12_345) == "12,3\u202fkW"
    assert FR.percent(0.345) == "34\u202f%"
    assert EN.percent(0.345) == "34%"
    assert FR.duration(12_000) == "3\u202fh\u202f20\u202fmin"
    assert FR.chance(0.96) == "9 fois sur 10"
    assert DE.chance(0.8) == "in 8 von 10 Fällen"
    assert EN.chance(0.7) == "2 times in 3"
    assert FR.state(states.STANDBY, "power") == "pas en production"
    assert FR.number(float("nan")) == "\u2014"
    assert FR.say("Rien : « ça » marche ?") == "Rien\u00a0: «\u00a0ça\u00a0» marche\u202f?"


def test_letters_of_states_are_distinct_in_each_language() -> None:
    for spoken in (FR, DE, EN):
        assert len({spoken.letter(code) for code in range(7)}) == 7


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("de", "de"),
        ("pl,en;q=0.3,de;q=0.8", "de"),
        ("", "fr"),
        ("xx;q=abc", "fr"),
        ("de;q=0, en", "en"),
        ("," * 999, "fr"),
    ],
)
def test_language_by_the_browser(accepted: str, expected: str) -> None:
    assert catalog.choose(None, accepted, catalog.LANGUAGES) == expected
    assert catalog.choose("en", accepted, catalog.LANGUAGES) == "en"


@pytest.mark.parametrize("language", ["de", "en"])
def test_catalogues_are_complete_and_hold_nothing_else(language: str) -> None:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
    keywords: dict[str, tuple[int, ...] | None] = {
        "_": None,
        "ngettext": (1, 2),
        "say": None,
        "count": (1, 2),
        "later": None,
    }
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n,jinja2.ext.do"}}
    wanted = {message for _, _, message, _, _ in extract_from_dir(web.HERE, methods, options, keywords)}
    source = Path(catalog.FOLDER / f"{language}.po").read_bytes()
    found = {message.id: message.string for message in read_po(BytesIO(source)) if message.id}
    assert set(found) == wanted
    assert all(all(text) if isinstance(text, tuple) else text for text in found.values())


def test_the_glossary_is_kept() -> None:
    glossary = {
        "Taux d'utilisation": ("Auslastung", "Utilisation"),
        "Taux d'occupation calendaire": ("Kalendarische Auslastung", "Calendar utilisation"),
        "Capacité partageable": ("Teilbare Kapazität", "Shareable capacity"),
        "sous-utilisation durable": ("dauerhafte Unterauslastung", "structural under-use"),
        "signalement": ("Hinweis", "flag"),
        "on ne peut pas conclure": ("nicht beurteilbar", "insufficient evidence"),
        "Part du temps observée": ("Datenabdeckung", "Coverage"),
        "travail à façon": ("Lohnfertigung", "toll work"),
        "Appareils à identifier": ("Nicht zugeordnete Geräte", "Unclaimed devices"),
        "Messages refusés": ("Abgewiesene Nachrichten", "Rejects"),
    }
    for french, (german, english) in glossary.items():
        assert (DE.say(french), EN.say(french)) == (german, english)


def test_a_day_that_ends_at_midnight_ends_at_24() -> None:
    night = Shift(days=(Day.MON, Day.SUN), start=time(0), end=time(0))
    late = Shift(days=(Day.TUE,), start=time(22), end=time(6, 30))
    lines = calendar_lines(Calendar(staffed=(night,), offered=(late,)), FR)
    assert lines["staffed"] == ["lun., dim. 0\u202fh \u2013 24\u202fh"]
    assert lines["offered"] == ["mar. 22\u202fh \u2013 6\u202fh\u202f30"]


@pytest.mark.parametrize(
    ("silent", "basis", "power_w", "said"),
    [
        (True, "power", None, "inconnu (sans données)"),
        (True, "none", None, "inconnu (sans données)"),
        (False, "none", 3100.0, "inconnu (pas encore déduit de la puissance)"),
        (False, "power", 3100.0, "inconnu (pas encore déduit de la puissance)"),
        (False, "state", 3100.0, "inconnu (la machine ne le dit pas)"),
        (False, "none", None, "inconnu (pas encore établi)"),
    ],
)
def test_an_unknown_state_says_why(silent: bool, basis: str, power_w: float | None, said: str) -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    assert told(Present(states.UNKNOWN, at, at, silent, basis, power_w), FR) == said
    assert told(Present(states.PRODUCING, at, at, False, basis, power_w), FR) == "en production"
    late = Present(states.UNKNOWN, at, at, True, basis, arriving=True)
    assert told(late, FR) == "inconnu (relevés datés du passé)"


def test_a_machine_that_sends_more_often_than_before_keeps_its_curve_and_its_gaps() -> None:
    slow = np.concatenate([np.arange(0.0, 30_000, 600), np.arange(45_000.0, 84_000, 600)])
    fast = np.arange(84_000.0, 86_400, 2)
    times = np.concatenate([slow, fast])
    _, watts = envelope(times, np.full(len(times), 900.0), 0, 86_400, alive_s=900.0)
    assert np.isnan(watts).sum() == 1  # the outage of four hours alone
    _, torn = envelope(times, np.full(len(times), 900.0), 0, 86_400)
    assert np.isnan(torn).sum() > 50
