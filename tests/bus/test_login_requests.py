"""Logins that one asks for and another makes: what comes of a request, and what a hostile one cannot do."""

import os
import time
from pathlib import Path

import pytest

from bus import logins
from bus.login_requests import MOST, MOST_OF_ALL, PATIENCE_S, answer, ask, serve, served, withdraw

PROGRAM = "$7$20000$c2FsdHNhbHRzYWx0$" + "A" * 86 + "=="


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "requests").mkdir()
    return tmp_path / "requests"


@pytest.fixture
def broker(tmp_path: Path) -> Path:
    """The broker's files with a program's login and that of a device."""
    (tmp_path / "secrets").mkdir()
    logins.write(tmp_path / "secrets", {"ingest": PROGRAM, "zorn.tour": PROGRAM})
    return tmp_path / "secrets"


def test_what_was_asked_for_is_made_once_and_the_rest_stays(folder: Path, broker: Path) -> None:
    before = {name: (broker / name).read_text() for name in ("passwd", "acl")}
    asked = ask(folder, "zorn", "cabine-1")
    assert answer(asked) is None
    assert asked.password not in asked.path.read_text()
    assert serve(folder, broker) == [("zorn.cabine-1", "made")]
    assert answer(asked) == "made"
    assert answer(asked) is None
    assert [path.name for path in folder.iterdir()] == [".alive"]
    users = logins.read(broker)
    assert users["ingest"] == users["zorn.tour"] == PROGRAM
    assert logins.HASHED.fullmatch(users["zorn.cabine-1"])
    assert before["acl"] in (broker / "acl").read_text()
    both = (broker / "acl").read_text().rstrip()
    logins.write(broker, users)
    assert sorted(both.split("\n\n")) == sorted((broker / "acl").read_text().rstrip().split("\n\n"))  # the same rules
    assert serve(folder, broker) == []


def test_one_that_exists_keeps_its_password(folder: Path, broker: Path) -> None:
    asked = ask(folder, "zorn", "tour")
    assert serve(folder, broker) == [("zorn.tour", "exists")]
    assert answer(asked) == "exists"
    assert logins.read(broker)["zorn.tour"] == PROGRAM


def test_rules_of_a_certificate_whose_register_cannot_be_seen_stay(folder: Path, broker: Path) -> None:
    text = (broker / "acl").read_text() + "\nuser zorn.four\ntopic write m/zorn/#\n"
    (broker / "acl").write_text(text)
    assert (ask(folder, "zorn", "four"), serve(folder, broker))[1] == [("zorn.four", "exists")]
    assert (ask(folder, "zorn", "laser"), serve(folder, broker))[1] == [("zorn.laser", "made")]
    assert (broker / "acl").read_text().startswith(text)


def test_no_member_gets_more_than_its_machines_could_need(folder: Path, broker: Path) -> None:
    logins.write(broker, dict.fromkeys((f"zorn.x-{number}" for number in range(MOST)), PROGRAM))
    ask(folder, "zorn", "de-trop")
    ask(folder, "ulm", "premier")
    assert sorted(serve(folder, broker)) == [("ulm.premier", "made"), ("zorn.de-trop", "many")]


def test_a_broker_that_has_all_it_takes_is_not_told_as_the_firms_own_limit(folder: Path, broker: Path) -> None:
    others = (f"m-{number // 100}.x-{number}" for number in range(MOST_OF_ALL - 2))
    logins.write(broker, logins.read(broker) | dict.fromkeys(others, PROGRAM))
    asked = ask(folder, "ulm", "premier")
    assert serve(folder, broker) == [("ulm.premier", "full")]
    assert answer(asked) == "full"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ingest.0", PROGRAM),
        ("health-ingest.0", PROGRAM),
        ("zorn.cabine\n-1.0", PROGRAM),
        ("zorn.#.0", PROGRAM),
        ("zorn.a.b.0", PROGRAM),
        ("zorn.neuf.0", "plain"),
        ("zorn.neuf.0", ""),
        ("zorn.neuf.0", PROGRAM + "\nroot:" + PROGRAM),
        ("zorn.neuf.0", PROGRAM.replace("20000", "99999999")),
        ("zorn.neuf.0", PROGRAM + "é" * 10_000),
    ],
)
def test_a_request_can_only_add_a_device(folder: Path, broker: Path, name: str, text: str) -> None:
    before = {path.name: path.read_bytes() for path in broker.iterdir()}
    (folder / f"{name}.request").write_text(text)
    assert [said for _, said in serve(folder, broker)] == ["refused"]
    assert {path.name: path.read_bytes() for path in broker.iterdir()} == before


def test_what_is_no_file_of_its_own_is_not_followed_nor_waited_for(folder: Path, broker: Path) -> None:
    (folder / "hash").write_text(PROGRAM)
    (folder / "zorn.a.0.request").symlink_to(folder / "hash")
    os.mkfifo(folder / "zorn.b.0.request")
    (folder / "zorn.c.0.request").mkdir()
    assert serve(folder, broker) == [("'zorn.a'", "refused"), ("'zorn.b'", "refused")]
    asked = ask(folder, "zorn", "d")
    assert serve(folder, broker) == [("zorn.d", "made")]  # what cannot be taken away hinders nobody
    assert answer(asked) == "made"
    assert set(logins.devices(broker)) == {"zorn.tour", "zorn.d"}


def test_who_gave_up_gets_no_login(folder: Path, broker: Path) -> None:
    asked = ask(folder, "zorn", "cabine-1")
    assert withdraw(asked)
    assert serve(folder, broker) == []
    for off_s in (-120.0, -(2 * PATIENCE_S - 4), 9e6):  # the page gives a request up that was taken up, too
        late = ask(folder, "zorn", "cabine-2")
        os.utime(late.path, (time.time() + off_s, time.time() + off_s))
        assert serve(folder, broker) == [("'zorn.cabine-2'", "refused")]
    taken = ask(folder, "zorn", "cabine-3")
    serve(folder, broker)
    assert not withdraw(taken)
    assert answer(taken) == "made"


@pytest.mark.parametrize("made", [False, True])
def test_a_maker_that_was_killed_in_between_goes_on_where_it_was(folder: Path, broker: Path, made: bool) -> None:
    asked = ask(folder, "zorn", "cabine-1")
    taken = asked.path.rename(asked.path.with_suffix(".taken"))
    if made:
        logins.add_hashed(broker, "zorn.cabine-1", taken.read_text().strip())
    assert serve(folder, broker) == [("zorn.cabine-1", "made")]
    assert answer(asked) == "made"


def test_a_disk_that_refuses_is_told(folder: Path, broker: Path) -> None:
    asked = ask(folder, "zorn", "cabine-1")
    (broker / ".passwd.new").mkdir()
    assert serve(folder, broker) == [("zorn.cabine-1", "failed")]
    assert answer(asked) == "failed"


def test_whether_anybody_looks_and_old_answers_go(folder: Path, broker: Path) -> None:
    assert not served(folder)
    serve(folder, broker)
    assert served(folder)
    os.utime(folder / ".alive", (0, 0))
    assert not served(folder)
    (folder / "zorn.x.0.answer").write_text("made\n")
    os.utime(folder / "zorn.x.0.answer", (0, 0))
    serve(folder, broker)
    assert list(folder.glob("*.answer")) == []


def test_a_name_that_is_none_is_not_even_asked_for(folder: Path) -> None:
    with pytest.raises(logins.LoginRefused):
        ask(folder, "zorn", "../../etc")
    assert list(folder.iterdir()) == []
