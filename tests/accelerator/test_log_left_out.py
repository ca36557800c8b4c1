"""A log on a full disk or into a closed pipe stops nothing, and says afterwards what it left out."""

import os
import subprocess
import sys
from pathlib import Path

from accelerator.logs import PatientStream

LOGGING = """
import sys
import structlog
from accelerator import logs
logs.configure("info", json_lines=True)
structlog.get_logger().error("the disk is full", reason="x" * 100)
sys.exit(7)
"""


def test_a_log_on_a_full_disk_stops_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", LOGGING], stderr=full, check=False)
    assert done.returncode == 7


def test_a_log_into_a_closed_pipe_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", LOGGING], stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 7


def test_what_was_left_out_is_counted() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)  # a pipe that is full refuses, as a disk does, and takes more when it is emptied
    with os.fdopen(writer, "w") as stream:
        log = PatientStream(stream)
        lines = 0
        while log.left_out < 3:
            print("y" * 1000, file=log)
            lines += 1
        said = os.read(reader, 2**20)
        print("again", file=log)
        said += os.read(reader, 2**20)
        assert said.decode().endswith("3 lines of this log were left out: they could not be written\nagain\n")
        assert said.count(b"y" * 1000) in (lines - 3, lines - 2)  # one may have been cut
    os.close(reader)
