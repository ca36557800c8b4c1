"""What damage took, as a person meets it: in the health, in the list, by the doctor, and given up by a command."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerator.doctor_spool import spool_step
from ingest.service import SPOOL_FILE, IngestConfig
from store import Store
from tests.accelerator.cli import answer, resilian
from tests.ingest.conftest import collecting, until
from tests.ingest.ear import Ear
from tests.ingest.test_damage import ROWS, killed


async def test_what_is_lost_is_said_until_a_person_gives_it_up(
    config: IngestConfig, store: Store, ear: Ear, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    config = replace(config, data_dir=data / "ingest")
    config.data_dir.mkdir(parents=True)
    data.chmod(0o700)
    killed(config.data_dir / SPOOL_FILE, 8, checkpoint=5)
    os.truncate(config.data_dir / f"{SPOOL_FILE}-wal", 40_000)
    url = f"mqtt://127.0.0.1:{config.broker.port}"

    async def told(*words: str) -> Any:
        return await asyncio.to_thread(answer, *words, data=data, RESILIAN_BROKER=url)

    async with collecting(config, store):
        await until(lambda: ear.health.get("quarantine", {}).get("batches") == 3, "the loss to be said")
        assert ear.health["quarantine"]["readings"] == 3 * ROWS
        assert any(f"{3 * ROWS} readings are gone" in error for error in ear.health["errors"])
        (step,) = spool_step({"net/v1/health/ingest": ear.health})
        assert (step.status, "rejects list --quarantine" in step.todo) == ("wrong", True)
        listed = await told("rejects", "list", "--quarantine")
        assert [(one["id"], one["readings"]) for one in listed] == [(number, ROWS) for number in (6, 7, 8)]
        await told("rejects", "retry")
        assert len(await told("rejects", "list", "--quarantine")) == 3
        assert (await told("rejects", "dismiss"))["result"] == 3 * ROWS
        await until(lambda: ear.health["quarantine"]["batches"] == 0, "the loss to be given up")
    assert await told("rejects", "list", "--quarantine") == []
    wrong = await asyncio.to_thread(resilian, "rejects", "list", "--quarantine", "--unclaimed", data=data)
    assert (wrong.returncode, "--quarantine" in wrong.stderr) == (2, True)
