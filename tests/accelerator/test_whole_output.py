"""What is printed arrives whole, however slow its reader and whatever is done to its pipe, or is an error."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.accelerator.cli import MEMBER, ROOT, environment, network
from tests.patience import PATIENCE_S

MACHINES = 200
CAPACITY = 4096
LIST = (sys.executable, "-m", "accelerator.main", "machine", "list", "--json")

buffering = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
"""Of Python's own; containers set PYTHONUNBUFFERED."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A data folder whose list of machines is many times a pipe's capacity."""
    machines = "".join(f'[[machines]]\nid = "cabine-{number}"\nname = "Cabine"\n' for number in range(MACHINES))
    network(tmp_path / "fleet", MEMBER + machines)
    return tmp_path


@contextmanager
def listing(place: Path, unbuffered: str, *, blocking: bool) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """The command, which waits with a full pipe for somebody to read it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, CAPACITY)
    os.set_blocking(writer, blocking)
    own = environment(place, PYTHONUNBUFFERED=unbuffered)
    with subprocess.Popen(LIST, stdout=writer, stderr=subprocess.PIPE, env=own, cwd=ROOT) as process:
        os.close(writer)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while waiting_bytes(reader) < CAPACITY or not asleep(process.pid):
                assert process.poll() is None, "it ended before anybody had read what it says"
                assert time.monotonic() < deadline, "the pipe was never full"
                time.sleep(0.001)
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


def waiting_bytes(pipe: int) -> int:
    """How much lies in the pipe."""
    found: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return found


def asleep(pid: int) -> bool:
    """Whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def read_whole(process: "subprocess.Popen[bytes]", reader: int) -> tuple[int, list[dict[str, object]]]:
    """Exit code and what was printed."""
    said = b"".join(iter(lambda: os.read(reader, 1000), b""))
    return process.wait(timeout=PATIENCE_S), json.loads(said)


@buffering
def test_a_pause_of_the_process_cuts_nothing(place: Path, unbuffered: str) -> None:
    """As a container is paused and goes on in the middle of a write; the end of uvloop's io_uring does it, too."""
    with listing(place, unbuffered, blocking=True) as (process, reader):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        code, rows = read_whole(process, reader)
    assert (code, len(rows)) == (0, MACHINES)


@buffering
def test_a_pipe_that_somebody_made_non_blocking_cuts_nothing(place: Path, unbuffered: str) -> None:
    with listing(place, unbuffered, blocking=False) as (process, reader):
        code, rows = read_whole(process, reader)
    assert (code, len(rows)) == (0, MACHINES)


@buffering
@pytest.mark.parametrize("words", [["machine", "list", "--json"], ["machine", "list"], ["settings", "--json"]])
def test_a_full_disk_is_an_error(place: Path, unbuffered: str, words: list[str]) -> None:
    own = environment(place, PYTHONUNBUFFERED=unbuffered)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "accelerator.main", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, env=own, cwd=ROOT, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == "resilian: standard output cannot be written whole: No space left on device\n"


@buffering
def test_a_reader_that_goes_away_ends_it_quietly(place: Path, unbuffered: str) -> None:
    with listing(place, unbuffered, blocking=True) as (process, reader):
        code = ended_without_reader(process, reader)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert code == 128 + signal.SIGPIPE


def ended_without_reader(process: "subprocess.Popen[bytes]", reader: int) -> int:
    """Exit code once the pipe has no reader; the descriptor stays taken."""
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), reader)
    return process.wait(timeout=PATIENCE_S)
