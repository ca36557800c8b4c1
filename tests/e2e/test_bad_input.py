"""Bad input where a person meets it: the pages, the doctor and the export, after the whole of `resilian up`."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from accelerator import owner
from bus.client import BrokerAddress
from fleet.clock import now_ms
from tests.accelerator.cli import network, resilian, start
from tests.ingest.conftest import until
from tests.ingest.real_path import listening
from tests.servers import Broker

pytestmark = pytest.mark.mosquitto
FORMULA = '=HYPERLINK("http://x")'
NAMES = (FORMULA, "<script>alert(1)</script>", "a,b=c d\\", '"quoted"\n', "\U0001f3ed")
MACHINES = """
slug = "zorn"
name = "<i>Peinture</i> & '=cmd()'"
place = { commune = "Brumath" }
[[machines]]
id = "cabine-1"
name = "<script>alert(2)</script> \\"Cabine\\", =cmd()|'A1' \\\\ \U0001f3ed"
"""
BOOTH = "m/zorn/cabine-1/reading"
HOSTILE = "m/zorn/<script>alert(3)</script>/x"
SHOWN = ("se contredisent 1 fois", "en arrière 1 fois")
HARMLESS = [f"&lt;script&gt;alert({number})" for number in (2, 3, 4, 5)]
SECONDS = 90.0


def readings(at: int) -> list[dict[str, Any]]:
    """A conflict, a counter that starts anew, names of all kinds."""
    return [
        {"at": at - 240_000, "power_w": 3120, "count": 48_211},
        {"at": at - 180_000, "power_w": 3120, "count": 48_213},
        {"at": at - 180_000, "power_w": 310, "count": 48_213},
        {"at": at - 120_000, "power_w": 3100, "count": 2},
        {"at": at - 60_000, "power_w": 3100, "count": 5, "metrics": dict.fromkeys(NAMES, 1)},
    ]


async def page(url: str, *shown: str) -> str:
    """The page, once it shows these texts."""
    text = ""
    async with aiohttp.ClientSession() as client, asyncio.timeout(SECONDS):
        while not text or any(one not in text for one in shown):
            async with client.get(url) as answered:
                text = await answered.text()
                assert answered.status == 200, text
    return text


async def test_conflicts_resets_and_names_are_shown_and_harmless(mosquitto: Broker, tmp_path: Path) -> None:
    data, log, at = tmp_path / "data", tmp_path / "up.log", now_ms()
    network(data / "fleet", MACHINES)
    up = start("up", "--port", "0", data=data, log=log, RESILIAN_BROKER=mosquitto.url)
    try:
        await until(lambda: owner.find(data / "run.json") is not None, "resilian up", SECONDS)
        async with listening(BrokerAddress.parse(mosquitto.url)) as ear:
            await until(lambda: ear.health.get("broker", {}).get("connected") is True, "the collector", SECONDS)
            await ear.send(
                (BOOTH, {"at": at, "power_w": "<script>alert(4)</script>", "member": "<script>alert(5)</script>"}),
                *[(BOOTH, reading) for reading in readings(at)],
                (HOSTILE, {"power_w": 1}),
            )
            await until(lambda: ear.health.get("stored") == len(readings(at)), "five readings", SECONDS)
            await until(lambda: bool(ear.last("net/v1/unclaimed/zorn").get("devices")), "the unclaimed device", SECONDS)
        running = owner.find(data / "run.json")
        assert running is not None
        site = running.gateway.rstrip("/")
        machine = await page(f"{site}/machines/zorn/cabine-1", *SHOWN)
        pages = [machine, *[await page(site + path) for path in ("/home?member=zorn", "/network")]]
        assert [text for text in pages if "<script>alert" in text or "<i>Peinture" in text] == []
        assert [one for one in HARMLESS if one not in "".join(pages)] == []
        said = await asyncio.to_thread(resilian, "doctor", "--member", "zorn", "--machine", "cabine-1", data=data)
        assert "contradicted each other 1 times" in said.stdout
        target = tmp_path / "out.csv"
        done = await asyncio.to_thread(resilian, "export", str(target), data=data)
        assert done.returncode == 0, done.stderr
    finally:
        up.terminate()
        assert up.wait(timeout=SECONDS) == 0, log.read_text()
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(readings(at))
    assert json.loads(rows[-1]["metrics"]) == dict.fromkeys(NAMES, 1)
    assert [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))] == []
