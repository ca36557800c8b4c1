"""A sweep over a file: the same in any parts, on any number of threads and on a real Dask cluster."""

import os
import socket
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from accelerator.bench.made_hours import TIMEZONE, write
from analytics import sweep_file
from analytics.chances import FleetProfile, Kin
from analytics.history import History, local_hours, week_of
from analytics.outlook import AHEAD_HOURS
from analytics.sweep import Swept
from analytics.sweep_dask import cluster
from analytics.sweep_file import Answer, Digest, Task, carry_out, locally, tasks_of
from analytics.verdicts import Rule
from fleet.records import HourBucket
from fleet.states import PRODUCING, STANDBY
from store.hours_file import hours_writer
from tests.analytics.machines import hours, local, mornings

MACHINES, WEEKS = 120, 8


def quiet(done: int, total: int, what: str = "") -> None:
    """Nothing to show."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hours of three members."""
    path = tmp_path_factory.mktemp("hours") / "hours.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.hours_file.GROUP_ROWS", 1)  # a row group a member
        write(path, MACHINES, WEEKS, 2, quiet)
    return path


def tasks(path: Path, part_rows: int, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    monkeypatch.setattr(sweep_file, "TASK_ROWS", part_rows)
    return tasks_of(path, TIMEZONE, 8, Rule(), WEEKS)


def digest(answers: list[Answer]) -> str:
    whole = Digest()
    for answer in answers:
        whole.add(answer.found)
    return whole.hexdigest()


def test_parts_and_threads_change_no_bit(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = [carry_out(task) for task in tasks(made, 10**9, monkeypatch)]
    assert len(whole.machines) == len(set(whole.machines)) == MACHINES
    assert (whole.hours, whole.found.free.shape) == (WEEKS * 168 + 1, (MACHINES, AHEAD_HOURS))  # the clocks went back
    parts = tasks(made, 1, monkeypatch)
    assert len(parts) == 3
    for workers in (1, 3):
        answers = list(locally(parts, workers))
        assert [key for answer in answers for key in answer.machines] == list(whole.machines)
        assert digest(answers) == digest([whole])


def test_the_digest_tells_any_other_result(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = [carry_out(task) for task in tasks(made, 10**9, monkeypatch)]
    for name in Swept._fields:
        column = getattr(whole.found, name).copy()
        column.reshape(-1)[-1] += 1
        other = whole._replace(found=whole.found._replace(**{name: column}))
        assert digest([other]) != digest([whole])


def family(pid: int) -> list[int]:
    """A process and those that it started, and those that they did."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(other for child in children for other in family(child))]


def listening(pid: int) -> set[str]:
    """Addresses at which a process waits for TCP connections."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    found = set()
    for name, kind in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                words = bytes.fromhex(fields[1].partition(":")[0])
                raw = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.add(socket.inet_ntop(kind, raw))
    return found


def free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.timeout(180)
def test_a_dask_cluster_finds_the_same_to_the_last_bit(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tasks(made, 1, monkeypatch)
    here = list(locally(parts, 1))
    taken = socket.create_server(("127.0.0.1", 8787)) if free(8787) else nullcontext()  # where Dask would like to be
    with taken, cluster(2) as workers:
        there = list(workers.run(parts))
        assert {address for pid in family(os.getpid()) for address in listening(pid)} == {"127.0.0.1"}
        assert workers.cpu_seconds() > 0
        assert workers.rss_mb() > 0
    assert [answer.machines for answer in there] == [answer.machines for answer in here]
    for one, other in zip(here, there, strict=True):
        for name in Swept._fields:
            assert getattr(one.found, name).tobytes() == getattr(other.found, name).tobytes()


def test_hours_that_were_exported_give_the_chances_that_the_worker_tells(tmp_path: Path) -> None:
    begin, end = local(2026, 8, 3), local(2026, 11, 9)
    buckets = {
        "mill": hours(begin, end, mornings),
        "saw": hours(begin + timedelta(days=9), end, lambda at: PRODUCING if at.hour % 5 == 0 else STANDBY, "saw"),
    }
    with hours_writer(tmp_path / "h.parquet") as writer:
        for own in buckets.values():
            writer.append(own)
    (answer,) = map(carry_out, tasks_of(tmp_path / "h.parquet", "Europe/Paris", 6, Rule(), 52))
    ahead = local_hours(int(end.timestamp()), AHEAD_HOURS, "Europe/Paris").hour_of_week
    kin = [Kin(name, history(own)) for name, own in buckets.items()]
    profile = FleetProfile(kin)
    assert [key.machine for key in answer.machines] == list(buckets)
    for place, one in enumerate(kin):
        told = profile.told(one, 6, week_of(end, "Europe/Paris"))
        np.testing.assert_allclose(answer.found.free[place], told.free[ahead], rtol=1e-6)


def history(buckets: list[HourBucket]) -> History:
    return History.from_buckets(buckets, "Europe/Paris")
