"""What our programs and the libraries they use say looks alike, on a terminal and as JSON."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from accelerator import doctor, logs, output
from accelerator.doctor_machine import Step


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging of the process is set back."""
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**ours)


def said(capsys: pytest.CaptureFixture[str], *, json_lines: bool) -> list[str]:
    """Lines on stderr of one event of ours and one of a library."""
    logs.configure("info", json_lines=json_lines)
    structlog.get_logger().warning("the broker", connected=False)
    logging.getLogger("a.library").warning("no answer within %d s", 5)
    logging.getLogger("a.library").info("chatter")
    return capsys.readouterr().err.splitlines()


def test_a_library_speaks_like_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = said(capsys, json_lines=False)
    assert ours.split()[1:3] == theirs.split()[1:3] == ["[warning", "]"]
    assert theirs.rstrip().endswith("no answer within 5 s")


def test_as_json_every_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = (json.loads(line) for line in said(capsys, json_lines=True))
    assert (ours["event"], ours["level"], ours["connected"]) == ("the broker", "warning", False)
    assert (theirs["event"], theirs["level"]) == ("no answer within 5 s", "warning")
    assert set(theirs) == {"event", "level", "timestamp"}


@pytest.mark.parametrize("json_lines", [False, True])
def test_what_a_device_wrote_moves_no_cursor_and_begins_no_line(
    capsys: pytest.CaptureFixture[str], json_lines: bool
) -> None:
    logs.configure("info", json_lines=json_lines)
    structlog.get_logger().warning("a payload", name="\x1b[2J\x9b1m\u202exyz", topic="a\nb")
    logging.getLogger("a.library").warning("cannot read %s", "\x1b[2Jx\nCRITICAL")
    text = capsys.readouterr().err
    assert text.count("\n") == 2
    assert not set(text) & set("\x1b\x9b\u202e")


def test_nor_does_it_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table([{"payload": "\x1b]0;owned\x07\r\nœuf"}], {"payload": "payload"}, empty="")
    text = capsys.readouterr().out
    assert "\\x1b]0;owned\\x07\\r\\nœuf" in text
    assert text.count("\n") == 2


def test_nor_in_the_one_line_of_an_error_or_of_the_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    logs.note("m/acme/\x1b[2J: no format reads its payload")
    assert capsys.readouterr().err == "m/acme/\\x1b[2J: no format reads its payload\n"
    step = Step("payload", "wrong", "field \x1b[2J is no number", "mend it")
    assert doctor.conclusion([step]) == "payload: field \\x1b[2J is no number. Do this: mend it."
