"""What is written of members and feeds is changed, taken out and put back by commands; nothing goes without a word."""

import os
import pty
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from bus import logins
from fleet import edit, registry
from fleet.batch import MachineKey
from tests.accelerator.cli import ROOT, environment, network, resilian

MEMBER = """
slug = "zorn"
name = "Peinture de la Zorn"
contact = "M. Roth"
place = { commune = "Brumath", postcode = "67170", latitude = 48.73, longitude = 7.71 }  # le site

[[machines]]
id = "cabine-1"
name = "Cabine 1"
every = 60
feeds = [
    { topic = "m/zorn/prise/tele/SENSOR", format = "tasmota", timezone = "Europe/Paris", scale_w = 1000.0 },
    { topic = "m/zorn/em", format = "shelly", channel = "0" },
    { topic = "m/zorn/em", format = "shelly", channel = "1" },
]

[[consents]]
machine = "cabine-1"
recipient = "coordinator"
level = "offers"
purpose = "partage"
since = 2026-01-01
"""
KEY = MachineKey("zorn", "cabine-1")
SENSOR = "m/zorn/prise/tele/SENSOR"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return network(tmp_path / "fleet", MEMBER)


def done(*words: str, data: Path) -> str:
    ended = resilian(*words, data=data)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(*words: str, data: Path, code: int = 2) -> str:
    ended = resilian(*words, data=data)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_member_is_corrected_and_what_is_not_given_stays(fleet: Path, tmp_path: Path) -> None:
    words = ("member", "change", "zorn", "--name", "Zorn SAS", "--contact", "", "--eur-per-kwh", "0.142")
    told = done(*words, "--idle-eur-per-year", "250", data=tmp_path)
    assert "name, contact, energy_eur_per_kwh, idle_eur_per_year" in told
    member = registry.load(fleet).members["zorn"]
    assert (member.name, member.contact, member.energy_eur_per_kwh) == ("Zorn SAS", None, 0.142)
    assert member.idle_eur_per_year == 250
    assert (member.place.postcode, member.place.latitude) == ("67170", 48.73)
    assert "# le site" in (fleet / "members" / "zorn.toml").read_text()


def test_a_member_that_moves_loses_coordinates_that_are_no_longer_its_own(fleet: Path, tmp_path: Path) -> None:
    ended = resilian("member", "change", "zorn", "--commune", "Haguenau", data=tmp_path)
    assert ended.returncode == 0
    assert "write latitude and longitude of Haguenau" in ended.stderr
    place = registry.load(fleet).members["zorn"].place
    assert (place.commune, place.postcode, place.latitude, place.longitude) == ("Haguenau", None, None, None)


def test_wrong_changes_name_what_is_wrong_and_change_nothing(fleet: Path, tmp_path: Path) -> None:
    before = (fleet / "members" / "zorn.toml").read_text()
    assert "ghost: no such member" in refused("member", "change", "ghost", "--name", "X", data=tmp_path)
    assert "at least one of --name" in refused("member", "change", "zorn", data=tmp_path)
    said = refused("member", "change", "zorn", "--name", "", data=tmp_path, code=1)
    assert "name" in said
    said = refused("member", "change", "zorn", "--idle-eur-per-year", "0", data=tmp_path, code=1)
    assert "idle_eur_per_year" in said
    assert "postcode" in refused("member", "change", "zorn", "--postcode", "?", data=tmp_path, code=1)
    assert (fleet / "members" / "zorn.toml").read_text() == before


def test_a_member_goes_whole_and_comes_back_by_the_command_that_was_told(fleet: Path, tmp_path: Path) -> None:
    before = (fleet / "members" / "zorn.toml").read_text()
    secrets = tmp_path / "mosquitto" / "secrets"
    secrets.mkdir(parents=True)
    logins.add_device(secrets, "zorn", "prise")
    logins.add_device(secrets, "ulm", "tour")
    assert "nobody to ask: add --yes" in refused("member", "remove", "zorn", data=tmp_path)
    assert "ghost: no such member" in refused("member", "remove", "ghost", "--yes", data=tmp_path)
    ended = resilian("member", "remove", "zorn", "--yes", data=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert registry.load(fleet).members == {}
    assert "its devices still enter the broker: zorn.prise; see `resilian device remove`" in ended.stderr
    subprocess.run(shlex.split(ended.stdout.partition("to put it back: ")[2]), check=True)
    assert (fleet / "members" / "zorn.toml").read_text() == before
    assert registry.load(fleet).machine(KEY) is not None


@pytest.mark.parametrize(
    ("beside", "where"),
    [
        (("requests",), "on the server, `deploy/devices list`\n"),  # as the service resilian of docker-compose.yml
        ((), "`resilian device list --member zorn --logins FOLDER`\n"),
    ],
)
@pytest.mark.usefixtures("fleet")
def test_logins_that_are_out_of_sight_are_not_taken_for_none(
    tmp_path: Path, beside: tuple[str, ...], where: str
) -> None:
    for name in beside:
        (tmp_path / "mosquitto" / name).mkdir(parents=True)
    ended = resilian("member", "remove", "zorn", "--yes", data=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.startswith("its devices' logins, if it has any, still enter the broker;")
    assert ended.stderr.endswith(where)


def test_the_slug_of_a_member_that_went_is_nobodys(fleet: Path, tmp_path: Path) -> None:
    given = {"machine": KEY.machine, "level": "hours", "purpose": "prêt", "since": date(2026, 3, 2)}
    for slug in ("ulm", "alm"):
        edit.add_member(fleet, {"slug": slug, "name": slug, "place": {"commune": "Hatten"}})
    edit.set_consent(fleet, "zorn", given | {"recipient": "member:ulm"})
    assert "consents" not in resilian("member", "remove", "alm", "--yes", data=tmp_path).stderr
    ended = resilian("member", "remove", "ulm", "--yes", data=tmp_path)
    assert "consents to it still stand with zorn: see `resilian consent list`" in ended.stderr
    said = refused("member", "add", "Ulm", "--commune", "Hatten", data=tmp_path, code=1)
    assert "slug = 'ulm': was another member's: put " in said
    assert list(registry.load(fleet).members) == ["zorn"]


@pytest.mark.parametrize(("said", "stays"), [(b"n\n", True), (b"y\n", False)])
def test_at_a_terminal_it_asks_once_with_what_goes(fleet: Path, tmp_path: Path, said: bytes, stays: bool) -> None:
    above, below = pty.openpty()
    os.write(above, said)
    command = [sys.executable, "-m", "accelerator.main", "member", "remove", "zorn"]
    ended = subprocess.run(
        command, stdin=below, capture_output=True, text=True, env=environment(tmp_path), cwd=ROOT, check=False
    )
    os.close(above)
    os.close(below)
    assert "Remove 'Peinture de la Zorn' with 1 machine and 1 consent?" in ended.stdout + ended.stderr
    assert ("zorn" in registry.load(fleet).members) is stays


def feeds(fleet: Path) -> list[tuple[str, str | None, float, str | None]]:
    machine = registry.load(fleet).machine(KEY)
    assert machine is not None
    return sorted((feed.topic, feed.channel, feed.scale_w, feed.timezone) for feed in machine.feeds)


def test_a_feed_goes_and_comes_back_by_the_command_that_was_told(fleet: Path, tmp_path: Path) -> None:
    before = feeds(fleet)
    told = done("feed", "remove", "zorn", "cabine-1", SENSOR, "--yes", data=tmp_path)
    assert "listens on m/zorn/em (channel 0), m/zorn/em (channel 1)" in told
    assert feeds(fleet) == [one for one in before if one[0] != SENSOR]
    command = shlex.split(told.partition("to put it back: ")[2])
    assert command[0] == "resilian"
    done(*command[1:], data=tmp_path)
    assert feeds(fleet) == before


def test_of_several_channels_one_must_be_named_and_the_last_leaves_the_machines_own_topic(
    fleet: Path, tmp_path: Path
) -> None:
    remove = ("feed", "remove", "zorn", "cabine-1")
    assert "name one with --channel" in refused(*remove, "m/zorn/em", "--yes", data=tmp_path)
    assert "no feed of this topic; it has m/zorn/prise" in refused(*remove, "m/zorn/x", "--yes", data=tmp_path)
    assert "no such machine" in refused("feed", "remove", "zorn", "x", "m/zorn/em", "--yes", data=tmp_path)
    assert "nobody to ask: add --yes" in refused(*remove, SENSOR, data=tmp_path)
    told = done(*remove, "m/zorn/em", "--channel", "1", "--yes", data=tmp_path)
    assert "channel = '1'" in told
    done(*remove, "m/zorn/em", "--yes", data=tmp_path)
    assert "listens on m/zorn/cabine-1/reading\n" in done(*remove, SENSOR, "--yes", data=tmp_path)
    assert feeds(fleet) == []
