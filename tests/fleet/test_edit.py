"""Edits: comments stay, nothing wrong is written, no reader sees half a file."""

import stat
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.network import Answer, Calibration, Consent, Feed, Level, Machine, Member, Offer, Place, Trade

CABINE = MachineKey("dupont", "cabine-1")
FOUR = MachineKey("dupont", "four")
GONE = datetime(2026, 11, 26, 17, 50, tzinfo=UTC)


def text_of(folder: Path) -> str:
    return (folder / "members" / "dupont.toml").read_text()


def grant(level: str, *, recipient: str = "coordinator", purpose: str = "partage") -> Consent:
    return Consent(machine="cabine-1", recipient=recipient, level=Level(level), purpose=purpose, since=date(2026, 2, 1))


def test_every_edit_keeps_the_comments_and_is_what_load_reads(folder: Path) -> None:
    at = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    edit.change_member(folder, "dupont", {"contact": "Mme Klein", "calendar": {"works_on_holidays": True}})
    edit.change_machine(folder, CABINE, {"rated_w": 18_000.0, "attributes": {"length_m": 6.0, "atex": True}})
    edit.add_machine(folder, "dupont", Machine(id="laser", name='Laser "5 kW"', trade=Trade.LASER))
    edit.set_feed(folder, FOUR, Feed(topic="m/dupont/boitier/status", format="shelly", channel="switch:1"))
    edit.set_feed(folder, CABINE, {"topic": "m/dupont/prise-1/tele/SENSOR", "format": "tasmota", "scale_w": 1000.0})
    edit.calibrate(folder, CABINE, Calibration(off_w=3.0, at=at))
    edit.calibrate(folder, CABINE, {"working_w": 9000.0})
    edit.set_offer(folder, CABINE, Offer(kind="declared", hours_per_week=12.0))
    edit.set_consent(folder, "dupont", grant("hours"))
    edit.set_answer(folder, "dupont", Answer(machine="four", rule="structural-underuse", answer="wrong", at=at))
    with pytest.raises(edit.EditRefused, match="answer = 'propose': a flag of overload has reserve, wrong"):
        edit.set_answer(folder, "dupont", Answer(machine="four", rule="overload", answer="propose", at=at))
    edit.confirm_works(folder, FOUR, at)
    text = text_of(folder)
    for comment in ("# Le fichier de Dupont, tenu à la main", "# raison sociale", "# la prise mesurée"):
        assert comment in text
    loaded = registry.load(folder)
    assert loaded.problems == ()
    cabine, four = loaded.machine(CABINE), loaded.machine(FOUR)
    assert cabine is not None
    assert four is not None
    assert (cabine.rated_w, cabine.attributes) == (18_000.0, {"length_m": 6.0, "atex": True})
    assert (cabine.calibration.off_w, cabine.calibration.working_w, cabine.calibration.at) == (3.0, 9000.0, at)
    assert [feed.scale_w for feed in cabine.feeds] == [1000.0]
    assert cabine.offer == Offer(kind="declared", hours_per_week=12.0)
    assert four.feeds[0].channel == "switch:1"
    assert four.works_confirmed == date(2026, 11, 23)
    dupont = loaded.members["dupont"]
    assert dupont.calendar.works_on_holidays
    assert len(dupont.calendar.staffed) == 1
    assert [consent.level for consent in dupont.consents] == [Level.HOURS]
    assert dupont.answers[0].answer == "wrong"


def test_edits_can_be_taken_back(folder: Path) -> None:
    before = registry.load(folder).digest
    edit.add_machine(folder, "dupont", {"id": "laser", "name": "Laser"})
    edit.set_feed(folder, FOUR, {"topic": "m/dupont/x/y", "format": "f"})
    edit.set_offer(folder, FOUR, {"kind": "measured"})
    edit.change_machine(folder, FOUR, {"every": 10.0})
    edit.remove_machine(folder, MachineKey("dupont", "laser"))
    edit.remove_feed(folder, FOUR, "m/dupont/x/y")
    edit.set_offer(folder, FOUR, None)
    edit.change_machine(folder, FOUR, {"every": None})
    assert registry.load(folder).digest == before


def test_a_removed_machine_takes_its_consents_and_answers_along(folder: Path) -> None:
    member = edit.remove_machine(folder, CABINE)
    assert [machine.id for machine in member.machines] == ["four"]
    assert member.consents == ()
    assert "consents" not in tomllib.loads(text_of(folder))


def test_members_come_whole_and_go(folder: Path) -> None:
    machines = (Machine(id="b", name="B", feeds=(Feed(topic="m/neuf/q", format="tasmota"),)),)
    new = Member(slug="neuf", name="Neuf", place=Place(commune="Hatten"), machines=machines)
    assert edit.add_member(folder, new) == new
    assert registry.load(folder).members["neuf"] == new
    with pytest.raises(edit.EditRefused, match="already"):
        edit.add_member(folder, new)
    kept = edit.remove_member(folder, "neuf", GONE)
    assert "neuf" not in registry.load(folder).members
    assert kept == folder / "removed" / "neuf.20261126T175000.000000Z.toml"
    with pytest.raises(edit.EditRefused, match=f"slug = 'neuf': was another member's: put {kept} back into"):
        edit.add_member(folder, new)
    edit.add_member(folder, {"slug": "neu", "name": "Neu", "place": {"commune": "Hatten"}})
    kept.rename(folder / "members" / "neuf.toml")
    assert registry.load(folder).members["neuf"] == new


def test_none_withdraws_all_and_a_new_level_lifts_it(folder: Path) -> None:
    edit.set_consent(folder, "dupont", grant("hours", purpose="étude"))
    assert len(edit.set_consent(folder, "dupont", grant("offers")).consents) == 2
    assert [consent.level for consent in edit.set_consent(folder, "dupont", grant("none")).consents] == [Level.NONE]
    assert [consent.level for consent in edit.set_consent(folder, "dupont", grant("hours")).consents] == [Level.HOURS]
    others = edit.set_consent(folder, "dupont", grant("offers", recipient="member:ulm")).consents
    assert len(others) == 2


@pytest.mark.parametrize(
    ("change", "field", "value", "rule"),
    [
        (lambda f: edit.change_machine(f, CABINE, {"every": -1}), "machines[0].every", "-1", "greater than 0"),
        (lambda f: edit.change_machine(f, CABINE, {"colour": "red"}), "machines[0].colour", "'red'", "no such key"),
        (lambda f: edit.change_machine(f, CABINE, {"id": "x"}), "id", "'x'", "keeps its id"),
        (lambda f: edit.change_member(f, "dupont", {"slug": "x"}), "slug", "'x'", "keeps its slug"),
        (lambda f: edit.add_machine(f, "dupont", {"id": "four", "name": "F"}), "machines[2].id", "'four'", "already"),
        (
            lambda f: edit.set_feed(f, FOUR, {"topic": "m/ulm/x", "format": "f"}),
            "machines[1].feeds[0].topic", "'m/ulm/x'", "below another member",
        ),
        (lambda f: edit.remove_feed(f, FOUR, "m/dupont/q"), "topic", "'m/dupont/q'", "no feed"),
        (lambda f: edit.set_offer(f, MachineKey("dupont", "x"), None), "machine", "'x'", "no machine of this id"),
        (lambda f: edit.change_member(f, "absent", {}), "member", "'absent'", "no such member"),
        (lambda f: edit.change_member(f, "../network", {}), "member", "'../network'", "no such member"),
        (lambda f: edit.remove_member(f, "absent", GONE), "member", "'absent'", "no such member"),
        (lambda f: edit.add_member(f, {"slug": "../x", "name": "X"}), "slug", "'../x'", "a-z"),
        (lambda f: edit.add_member(f, {"slug": "x", "name": "X"}), "place", "", "required"),
        (lambda f: edit.set_consent(f, "dupont", grant("hours", recipient="members")),
         "consents[1].recipient", "'members'", "bilateral"),
        (lambda f: edit.write_network(f, {"timezone": "Mars/Base"}), "timezone", "'Mars/Base'", "IANA"),
    ],
)  # fmt: skip
def test_a_refused_edit_names_field_value_and_rule_and_writes_nothing(
    folder: Path, change: object, field: str, value: str, rule: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.toml")}
    with pytest.raises(edit.EditRefused) as caught:
        change(folder)  # type: ignore[operator]  # a lambda of the table above
    assert (caught.value.field, caught.value.value) == (field, value)
    assert rule in caught.value.rule
    assert {path: path.read_bytes() for path in folder.rglob("*.toml")} == before


def test_a_broken_file_is_not_edited(folder: Path) -> None:
    path = folder / "members" / "dupont.toml"
    for broken in ("name = ", 'slug = "dupont"\n'):
        path.write_text(broken)
        with pytest.raises(edit.EditRefused, match="repair the file first"):
            edit.change_member(folder, "dupont", {"name": "x"})
        assert path.read_text() == broken


def test_mode_of_the_file_stays_and_a_new_one_is_not_for_everybody(folder: Path) -> None:
    path = folder / "members" / "dupont.toml"
    path.chmod(0o600)
    edit.change_member(folder, "dupont", {"name": "Autre"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    edit.add_member(folder, {"slug": "neuf", "name": "Neuf", "place": {"commune": "Hatten"}})
    assert stat.S_IMODE((folder / "members" / "neuf.toml").stat().st_mode) & 0o007 == 0


def test_a_disk_that_refuses_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = text_of(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        edit.change_member(folder, "dupont", {"name": "Autre"})
    assert text_of(folder) == before
    assert [path.name for path in (folder / "members").iterdir() if path.name.endswith(".new")] == []


def test_edits_at_the_same_time_all_count_and_readers_never_see_half(folder: Path) -> None:
    done = threading.Event()
    seen: list[registry.RegistryProblem] = []

    def read() -> None:
        while not done.is_set():
            seen.extend(registry.load(folder).problems)

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: edit.add_machine(folder, "ulm", {"id": f"m{n}", "name": f"M {n}"}), range(40)))
    done.set()
    reader.join()
    assert seen == []
    assert {machine.id for machine in registry.load(folder).members["ulm"].machines} >= {f"m{n}" for n in range(40)}


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=TEXT, note=TEXT, channel=TEXT)
def test_any_text_comes_back_as_it_was_given(folder: Path, name: str, note: str, channel: str) -> None:
    feed = Feed(topic="m/dupont/any", format="f", channel=channel)
    edit.change_machine(folder, FOUR, {"name": name, "feeds": None, "offer": {"note": note}})
    edit.set_feed(folder, FOUR, feed)
    four = registry.load(folder).machine(FOUR)
    assert four is not None
    assert four.offer is not None
    assert four == Machine(id="four", name=name, trade=Trade.FURNACE, offer=Offer(note=note), feeds=(feed,))


INLINE = """\
slug = "dupont"
name = "D"
place = { commune = "Hatten" }  # en ligne
machines = [
  { id = "cabine-1", name = "C", feeds = [{ topic = "m/dupont/q", format = "f" }] },  # première
  { id = "four", name = "F" },
]
"""


def test_inline_tables_are_edited_in_their_own_form(folder: Path) -> None:
    (folder / "members" / "dupont.toml").write_text(INLINE)
    edit.set_feed(folder, FOUR, {"topic": "m/dupont/r", "format": "g"})
    edit.set_feed(folder, CABINE, {"topic": "m/dupont/s", "format": "g"})
    edit.set_offer(folder, FOUR, {"kind": "declared"})
    edit.change_machine(
        folder, CABINE, {"calendar": {"staffed": [{"days": ["mon"], "start": "06:00", "end": "14:00"}]}}
    )
    edit.add_machine(folder, "dupont", {"id": "laser", "name": "L"})
    edit.set_consent(folder, "dupont", grant("offers"))
    text = text_of(folder)
    assert "# en ligne" in text
    assert "# première" in text
    loaded = registry.load(folder)
    assert loaded.problems == ()
    assert [machine.id for machine in loaded.members["dupont"].machines] == ["cabine-1", "four", "laser"]
    cabine = loaded.machine(CABINE)
    assert cabine is not None
    assert len(cabine.feeds) == 2
    assert cabine.calendar is not None


def test_one_feed_takes_the_place_of_all_others(folder: Path) -> None:
    edit.set_feed(folder, FOUR, {"topic": "m/dupont/a", "format": "generic"})
    edit.set_feed(folder, FOUR, {"topic": "m/dupont/b", "format": "generic"})
    before = registry.load(folder).machine(FOUR)
    edit.replace_feeds(folder, FOUR, {"topic": "m/dupont/c", "format": "tasmota"})
    after = registry.load(folder).machine(FOUR)
    assert before is not None
    assert after is not None
    assert [feed.topic for feed in after.feeds] == ["m/dupont/c"]
    assert after.model_copy(update={"feeds": before.feeds}) == before


def test_a_mark_that_contradicts_another_is_refused_and_nothing_changes(folder: Path) -> None:
    edit.calibrate(folder, CABINE, {"off_w": 40.0})
    before = text_of(folder)
    for marks in ({"working_w": 12.0}, {"standby_w": 40.0}, {"standby_w": 90.0, "working_w": 80.0}):
        with pytest.raises(edit.EditRefused, match="must lie below"):
            edit.calibrate(folder, CABINE, marks)
        assert text_of(folder) == before
    edit.calibrate(folder, CABINE, {"off_w": None, "working_w": 12.0})
    edit.calibrate(folder, CABINE, {"off_w": 4.0, "working_w": 30.0})


def test_marks_that_contradict_each_other_already_do_not_stand_in_the_way_of_others(folder: Path) -> None:
    edit.change_machine(folder, CABINE, {"calibration": {"off_w": 40.0, "standby_w": 20.0}})
    edit.calibrate(folder, CABINE, {"working_w": 900.0})
    with pytest.raises(edit.EditRefused, match="off must lie below standby"):
        edit.calibrate(folder, CABINE, {"off_w": 30.0})
    edit.calibrate(folder, CABINE, {"off_w": 3.0})
