"""Loading: what is in force, what is refused and how it is said."""

from pathlib import Path

import pytest

from fleet import registry
from fleet.batch import MachineKey
from fleet.network import Trade

CABINE = MachineKey("dupont", "cabine-1")


def member(extra: str = "", machines: str = '[[machines]]\nid = "a"\nname = "A"\n') -> str:
    return f'slug = "neuf"\nname = "Neuf"\nplace = {{ commune = "Hatten" }}\n{machines}{extra}'


def test_what_the_files_say_is_in_force(folder: Path) -> None:
    loaded = registry.load(folder)
    assert loaded.problems == ()
    assert loaded.network.name == "Réseau du Nord"
    assert list(loaded.members) == ["dupont", "ulm"]
    assert [machine.id for _, machine in loaded.machines()] == ["cabine-1", "four", "tour"]
    cabine = loaded.machine(CABINE)
    assert cabine is not None
    assert cabine.trade is Trade.PAINT
    assert loaded.machine(MachineKey("dupont", "absente")) is None
    assert loaded.zone("ulm").key == "Europe/Berlin"
    assert loaded.zone("dupont").key == "Europe/Paris"


def test_digest_follows_content_alone(folder: Path) -> None:
    first = registry.load(folder).digest
    assert len(first) == 16
    assert int(first, 16) >= 0
    path = folder / "members" / "ulm.toml"
    path.write_text("# remarque\n" + path.read_text().replace("every = 60", "every   =  60.0"))
    assert registry.load(folder).digest == first
    path.write_text(path.read_text().replace("60.0", "61"))
    assert registry.load(folder).digest != first


@pytest.mark.parametrize(
    ("text", "key", "value", "rule", "line"),
    [
        (member("bogus = 1"), "machines[0].bogus", "1", "no such key", 7),
        (member("every = -1"), "machines[0].every", "-1", "greater than 0", 7),
        (member('trade = "baking"'), "machines[0].trade", "'baking'", "'paint'", 7),
        (member().replace('name = "Neuf"\n', ""), "name", "", "required", None),
        (member().replace('slug = "neuf"', 'slug = "vieux"'), "slug", "'vieux'", "must equal the file's name", 1),
        (member('[[machines]]\nid = "a"\nname = "B"\n'), "machines[1].id", "'a'", "machines[0] has this id", 8),
        (
            member('[[machines.feeds]]\ntopic = "m/dupont/x/y"\nformat = "tasmota"\n'),
            "machines[0].feeds[0].topic", "'m/dupont/x/y'", "lies below another member", 8,
        ),
        (
            member('[[machines.feeds]]\ntopic = "m/neuf/a#/y"\nformat = "tasmota"\n'),
            "machines[0].feeds[0].topic", "'m/neuf/a#/y'", "whole level", 8,
        ),
        (
            member('feeds = [{ topic = "m/neuf/p", format = "f" }]\n[[machines]]\nid = "b"\nname = "B"\n'
                   '[[machines.feeds]]\ntopic = "m/neuf/p"\nformat = "g"\n'),
            "machines[1].feeds[0].topic", "'m/neuf/p'", "machine 'a' has this topic and channel already", 12,
        ),
        (
            member('[[machines]]\nid = "b"\nname = "B"\nfeeds = [{ topic = "m/neuf/a/reading", format = "f" }]\n'),
            "machines[1].feeds[0].topic", "'m/neuf/a/reading'", "own topic of machine 'a'", 10,
        ),
        (
            member('[[consents]]\nmachine = "z"\nrecipient = "coordinator"\nlevel = "hours"\npurpose = "p"\n'
                   "since = 2026-01-01\n"),
            "consents[0].machine", "'z'", "no machine of this member", 8,
        ),
        (
            member('[[consents]]\nmachine = "a"\nrecipient = "members"\nlevel = "hours"\npurpose = "p"\n'
                   "since = 2026-01-01\n"),
            "consents[0].recipient", "'members'", "bilateral", 9,
        ),
        (
            member('[[answers]]\nmachine = "z"\nrule = "structural-underuse"\nanswer = "wrong"\n'
                   "at = 2026-01-01T08:00:00Z\n"),
            "answers[0].machine", "'z'", "no machine of this member", 8,
        ),
        (
            member("[machines.calendar]\nclosures = [{ first = 2026-08-10, last = 2026-08-01 }]\n"),
            "machines[0].calendar.closures[0].last", "2026-08-01", "must not be earlier than 2026-08-10", 8,
        ),
        (
            member("[[machines.reservations]]\nstart = 2026-08-01T08:00:00\nend = 2026-08-01T08:00:00Z\n"),
            "machines[0].reservations[0].end", "2026-08-01T08:00:00+00:00", "both have a UTC offset", 9,
        ),
        (member("]"), "", "", "not TOML", 7),
    ],
)  # fmt: skip
def test_a_broken_rule_names_file_key_value_rule_and_line(
    folder: Path, text: str, key: str, value: str, rule: str, line: int | None
) -> None:
    (folder / "members" / "neuf.toml").write_text(text)
    loaded = registry.load(folder)
    assert list(loaded.members) == ["dupont", "ulm"]
    problem = loaded.problems[0]
    assert (problem.file, problem.key, problem.value, problem.line) == ("members/neuf.toml", key, value, line)
    assert rule in problem.rule
    assert str(problem).startswith("members/neuf.toml")


def test_a_broken_file_keeps_its_last_good_version_and_the_others_go_on(folder: Path) -> None:
    good = registry.load(folder)
    (folder / "members" / "dupont.toml").write_text('slug = "dupont"\nname = ')
    ulm = folder / "members" / "ulm.toml"
    ulm.write_text(ulm.read_text().replace("Ulm GmbH", "Ulm AG"))
    then = registry.load(folder, good)
    assert then.members["dupont"] is good.members["dupont"]
    assert then.members["ulm"].name == "Ulm AG"
    assert [problem.file for problem in then.problems] == ["members/dupont.toml"]
    again = registry.load(folder, then)
    assert again.members["dupont"] is good.members["dupont"]
    assert again.problems == then.problems
    (folder / "members" / "dupont.toml").write_text('slug = "dupont"\nname = "D"\nplace = { commune = "Hatten" }\n')
    mended = registry.load(folder, again)
    assert mended.members["dupont"].name == "D"
    assert mended.problems == ()


def test_a_broken_network_keeps_the_last_good_one(folder: Path) -> None:
    good = registry.load(folder)
    for text, key in (("name = 1", "name"), ("[holidays\n", "")):
        (folder / "network.toml").write_text(text)
        then = registry.load(folder, good)
        assert then.network == good.network
        assert (then.problems[0].file, then.problems[0].key) == ("network.toml", key)
    (folder / "network.toml").unlink()
    assert registry.load(folder, good).network == good.network
    assert registry.load(folder, good).problems


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [('"6AE"', '"XX"', "holidays.subdivision"), ('subdivision = "6AE"', "", "holidays.country")],
)
def test_unknown_holidays_are_said(folder: Path, old: str, new: str, key: str) -> None:
    good = registry.load(folder)
    path = folder / "network.toml"
    path.write_text(path.read_text().replace(old, new).replace('"FR"', '"ZZ"' if key.endswith("country") else '"FR"'))
    assert registry.load(folder, good).problems[0].key == key


@pytest.mark.parametrize("name", ["Majuscule.toml", "-x.toml", "a b.toml"])
def test_a_file_whose_name_is_no_slug_is_said(folder: Path, name: str) -> None:
    (folder / "members" / name).write_text(member())
    assert "named <slug>.toml" in registry.load(folder).problems[0].rule


def test_drafts_and_other_files_do_not_count(folder: Path) -> None:
    (folder / "members" / ".dupont.toml.123.new").write_text("half")
    (folder / "members" / ".cache.toml").write_text("half")
    (folder / "members" / "notes.txt").write_text("half")
    assert registry.load(folder).problems == ()


def test_bytes_that_are_not_utf8_are_a_problem_not_an_exception(folder: Path) -> None:
    good = registry.load(folder)
    (folder / "members" / "ulm.toml").write_bytes(b'name = "\xff"')
    then = registry.load(folder, good)
    assert then.members["ulm"] == good.members["ulm"]
    assert "not UTF-8: byte 8" in then.problems[0].rule


def test_a_removed_member_is_gone(folder: Path) -> None:
    good = registry.load(folder)
    (folder / "members" / "ulm.toml").unlink()
    assert list(registry.load(folder, good).members) == ["dupont"]


def test_without_a_network_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(registry.RegistryMissing, match=r"network\.toml"):
        registry.load(tmp_path / "absent")
    (tmp_path / "network.toml").write_text("name = 3")
    with pytest.raises(registry.RegistryMissing, match="name = 3") as caught:
        registry.load(tmp_path)
    assert {problem.key for problem in caught.value.problems} == {"name", "place", "timezone"}


def test_init_writes_what_load_reads(tmp_path: Path) -> None:
    made = registry.init(
        tmp_path / "f", name='Réseau "Est"', commune="Colmar", timezone="Europe/Paris", country="FR", subdivision="6AE"
    )
    assert made.network.name == 'Réseau "Est"'
    assert made.network.holidays is not None
    assert registry.load(tmp_path / "f").digest == made.digest
    with pytest.raises(FileExistsError, match="exists already"):
        registry.init(tmp_path / "f", name="x", commune="x", timezone="Europe/Paris")


def test_unchanged_files_are_not_read_twice(folder: Path) -> None:
    good = registry.load(folder)
    assert registry.load(folder, good).members["ulm"] is good.members["ulm"]
