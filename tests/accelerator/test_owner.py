"""Commands work through the owner of the data folder."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from accelerator import owner
from accelerator.problems import Missing, Usage


async def echo(arguments: Mapping[str, Any]) -> Any:
    if "fail" in arguments:
        raise Usage("no such thing")
    return {"heard": dict(arguments)}


def running(control: str, token: str, pid: int | None = None) -> owner.Running:
    return owner.Running(pid or os.getpid(), "mqtt://x", "http://x", "duckdb:///x", "fleet", control, token)


async def test_a_job_runs_in_the_owner_and_its_failure_keeps_its_kind() -> None:
    async with owner.serving({"echo": echo}) as (control, token):
        assert control.startswith("http://127.0.0.1:")
        assert await owner.ask(running(control, token), "echo", {"a": 1}) == {"heard": {"a": 1}}
        with pytest.raises(Usage, match="no such thing"):
            await owner.ask(running(control, token), "echo", {"fail": True})
        with pytest.raises(Usage, match="no such job"):
            await owner.ask(running(control, token), "other", {})
        with pytest.raises(Missing, match="wrong control token"):
            await owner.ask(running(control, "guess"), "echo", {})
    with pytest.raises(Missing, match="does not answer"):
        await owner.ask(running(control, token), "echo", {})


def test_the_run_file_is_private_and_a_dead_owner_is_nobody(tmp_path: Path) -> None:
    file = tmp_path / "data" / "run.json"
    assert owner.find(file) is None
    owner.write(file, running("http://127.0.0.1:1", "t"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = owner.find(file)
    assert found is not None
    assert found.token == "t"
    owner.remove(file)
    assert owner.find(file) is None
    owner.write(file, running("http://127.0.0.1:1", "t", pid=2**22 - 1))
    assert owner.find(file) is None
