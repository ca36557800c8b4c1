"""Odd names among the requests: none keeps another waiting, and what was made is told whatever comes after."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import logins
from bus.login_requests import Asked, answer, ask, serve, served
from tests.bus.test_login_requests import PROGRAM, broker, folder

__all__ = ["broker", "folder"]


def taken_is_a_folder(folder: Path) -> list[Path]:
    (folder / "a.b.0.taken").mkdir()
    return [folder / "a.b.0.request"]


def longest_name(folder: Path) -> list[Path]:
    return [folder / ("0" * 247 + ".request")]


def answer_is_a_folder(folder: Path) -> list[Path]:
    (folder / "a.b.0.answer").mkdir()
    return [folder / "a.b.0.request", folder / "a.b.0.taken"]


def draft_is_a_folder(folder: Path) -> list[Path]:
    (folder / ".a.b.0.answer.new").mkdir()
    return [folder / "a.b.0.request", folder / "a.b.0.taken"]


def aged(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            os.utime(path, (time.time() - 60, time.time() - 60))


def troubled(folder: Path, broker: Path) -> list[tuple[str, str]]:
    """What was told by a look that ends with a trouble."""
    told: list[tuple[str, str]] = []
    with pytest.raises(OSError, match=r"a\.b\.0|longer than 200 bytes"):
        serve(folder, broker, lambda *said: told.append(said))
    return told


@pytest.mark.parametrize("odd", [taken_is_a_folder, longest_name, answer_is_a_folder, draft_is_a_folder])
def test_one_that_cannot_be_answered_keeps_no_other_waiting_and_goes(
    folder: Path, broker: Path, odd: Callable[[Path], list[Path]]
) -> None:
    left = odd(folder)
    left[0].write_text("x")
    asked = ask(folder, "zorn", "honest")
    assert troubled(folder, broker) == [("zorn.honest", "made")]
    assert answer(asked) == "made"
    assert served(folder)
    aged(*left)
    troubled(folder, broker)
    assert [path for path in left if path.exists()] == []
    assert serve(folder, broker) == []


def test_a_login_whose_answer_cannot_be_written_is_told_and_answered_when_it_can(folder: Path, broker: Path) -> None:
    asked = ask(folder, "a", "b")
    blocked = asked.path.with_suffix(".answer")
    blocked.mkdir()
    told: list[tuple[str, str]] = []
    with pytest.raises(OSError, match="answer"):
        serve(folder, broker, lambda *said: told.append(said))
    assert told == [("a.b", "made")]
    blocked.rmdir()
    assert serve(folder, broker) == [("a.b", "made")]
    assert answer(asked) == "made"


def test_an_old_folder_named_like_an_answer_hides_nothing(folder: Path, broker: Path) -> None:
    (folder / "z.answer").mkdir()
    os.utime(folder / "z.answer", (0, 0))
    ask(folder, "zorn", "honest")
    assert serve(folder, broker) == [("zorn.honest", "made")]


def linked_elsewhere(sign: Path, target: Path) -> None:
    sign.symlink_to(target)


def linked_to_itself(sign: Path, target: Path) -> None:
    sign.symlink_to(sign.name)


def piped(sign: Path, target: Path) -> None:
    os.mkfifo(sign)


@pytest.mark.parametrize("odd", [linked_elsewhere, linked_to_itself, piped])
def test_the_sign_follows_no_link_and_waits_for_no_pipe(
    folder: Path, broker: Path, odd: Callable[[Path, Path], None]
) -> None:
    odd(folder / ".alive", broker / "planted")
    ask(folder, "zorn", "honest")
    assert serve(folder, broker) == [("zorn.honest", "made")]
    assert served(folder)
    assert not (broker / "planted").exists()


def test_a_sign_that_cannot_be_given_is_told_after_the_requests(folder: Path, broker: Path) -> None:
    (folder / ".alive").mkdir()
    asked = ask(folder, "zorn", "honest")
    with pytest.raises(OSError, match="alive"):
        serve(folder, broker)
    assert answer(asked) == "made"


def begun(folder: Path, broker: Path) -> Asked:
    """A request whose maker was killed between the password and the rules."""
    asked = ask(folder, "zorn", "half")
    taken = asked.path.rename(asked.path.with_suffix(".taken"))
    with (broker / "passwd").open("a") as file:
        file.write(f"zorn.half:{taken.read_text()}")
    return asked


@pytest.mark.parametrize("ruled", [True, False])
def test_a_login_without_rules_gets_them_before_it_is_said_to_be_made(folder: Path, broker: Path, ruled: bool) -> None:
    before = (broker / "acl").read_text()
    if not ruled:
        (broker / "acl").unlink()
    asked = begun(folder, broker)
    assert serve(folder, broker) == [("zorn.half", "made")]
    assert answer(asked) == "made"
    acl = (broker / "acl").read_text()
    assert {*before.rstrip().split("\n\n")} <= {*acl.rstrip().split("\n\n")}
    assert acl.count("user zorn.half\ntopic write m/zorn/#\n") == 1
    logins.add_hashed(broker, "zorn.half", logins.read(broker)["zorn.half"])
    assert (broker / "acl").read_text() == acl


def test_another_hash_completes_nothing(folder: Path, broker: Path) -> None:
    asked = begun(folder, broker)
    asked.path.with_suffix(".taken").write_text(PROGRAM)
    before = (broker / "acl").read_text()
    assert serve(folder, broker) == [("zorn.half", "exists")]
    assert (broker / "acl").read_text() == before


def test_broken_files_of_the_broker_are_an_answer(folder: Path, broker: Path) -> None:
    (broker / "acl").write_bytes(b"\xff\xfe")
    ask(folder, "zorn", "honest")
    assert serve(folder, broker) == [("zorn.honest", "failed")]


def test_twenty_a_look_the_oldest_first_and_no_more_files_than_a_few_hundred(folder: Path, broker: Path) -> None:
    now = time.time()
    for number in range(310):
        path = folder / f"zorn.x-{number}.0.request"
        path.write_text(PROGRAM)
        os.utime(path, (now - 10 + number / 100, now - 10 + number / 100))
    told: list[tuple[str, str]] = []
    with pytest.raises(OSError, match="more than 300 requests wait: the newest were thrown away"):
        serve(folder, broker, lambda *said: told.append(said))
    assert told == [(f"zorn.x-{number}", "made") for number in range(20)]
    assert len(list(folder.glob("*.request"))) == 280
    assert not (folder / "zorn.x-300.0.request").exists()
    for number in range(275):
        (folder / f"y.{number}.answer").write_text("made\n")
    assert [name for name, _ in serve(folder, broker)] == [f"zorn.x-{number}" for number in range(20, 25)]
    assert serve(folder, broker) == []  # 300 answers that nobody fetched
    aged(*folder.glob("*.answer"))
    assert [name for name, _ in serve(folder, broker)] == [f"zorn.x-{number}" for number in range(25, 45)]
    assert len(list(folder.glob("*.answer"))) == 20
