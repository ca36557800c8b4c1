"""The demo as a newcomer runs it: one line with the URL, live pages, and an end in good order."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.e2e.programs import ROOT
from tests.patience import PATIENCE_S


@asynccontextmanager
async def demo(folder: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running demo and its URL, as printed on standard output."""
    with (folder.parent / "demo.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "accelerator.main", "demo", "--port", "0", "--data", str(folder), *options,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("resilian: http://127.0.0.1:"), (folder.parent / "demo.log").read_text()
        assert f"(data in {folder}; " in line
        yield process, line.split()[1].rstrip("/")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def get(url: str) -> bytes:
    def read() -> bytes:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            content: bytes = answer.read()
            return content

    return await asyncio.to_thread(read)


async def network(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await get(f"{url}/api/v1/network"))
    return found


async def test_the_demo_is_alive_and_ends_on_sigterm(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    async with demo(folder, "--weeks", "1") as (process, url):
        assert "Capacités" in (await get(f"{url}/")).decode()
        async with asyncio.timeout(PATIENCE_S):  # until history and live readings have travelled the whole way
            while True:
                programs = (await network(url))["programs"]
                ingest, analytics = programs.get("ingest", {}), programs.get("analytics", {})
                if ingest.get("stored", 0) > 50_000 and analytics.get("findings", {}).get("judged", 0) > 100:
                    break
        assert "Réseau" in (await get(f"{url}/network")).decode()
        await an_owner_reads_what_idling_costs(url, "vauzelin")
        await the_doctor_finds_it(tmp_path)
        assert (folder / "run.json").stat().st_mode & 0o777 == 0o600
        os.killpg(process.pid, signal.SIGTERM)  # as a terminal and a service manager do: the broker's process, too
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    assert not (folder / "run.json").exists()
    said = (tmp_path / "demo.log").read_text()
    assert "Traceback" not in said
    assert "error" not in said.lower(), said
    assert "started again" not in said


async def an_owner_reads_what_idling_costs(url: str, member: str) -> None:
    """From the meters' watts, through ledger and outlook, to the owner's API and page."""
    machines = [one["machine"] for one in json.loads(await get(f"{url}/api/v1/machines?member={member}"))]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told = {
                name: json.loads(await get(f"{url}/api/v1/machines/{member}/{name}"))["energy"] for name in machines
            }
            idle = {name: energy for name, energy in told.items() if energy and energy["idle_kwh"] > 1}
            if idle:
                break
    name, energy = next(iter(idle.items()))
    assert 0 < energy["measured"] <= 1
    assert energy["idle_kwh"] < energy["total_kwh"]
    assert abs(energy["idle_eur"] - 0.16 * energy["idle_kwh"]) < 1e-6  # the price in the demo's network.toml
    assert "Énergie à vide" in (await get(f"{url}/machines/{member}/{name}")).decode()


async def the_doctor_finds_it(data: Path) -> None:
    """Without being told where: the demo lies in the data folder, and nothing else does."""
    place = {**os.environ, "RESILIAN_DATA_DIR": str(data)}
    doctor = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "accelerator.main", "doctor", cwd=ROOT, env=place,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await doctor.communicate()
    assert (
        f"this is the running demo; name another place with --data or --fleet: --data {data / 'demo'}" in said.decode()
    )
    assert "what we publish is delivered" in out.decode()


async def test_it_ends_by_itself_and_a_second_one_is_told_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    async with demo(folder, "--weeks", "0", "--for", "8") as (process, url):
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "accelerator.main", "demo", "--port", "0", "--data", str(folder),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await second.communicate()
        assert second.returncode == 3
        assert url in said.decode()
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0


async def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "accelerator.main", "demo", "--port", "0", "--data", str(tmp_path),
        cwd=ROOT, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 3
    assert "files that are not a demo's" in said.decode()
    assert (tmp_path / "letter.txt").read_text() == "keep me"
