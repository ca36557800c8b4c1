"""Devices that speak but belong to no machine: what the collector retains at the broker, and what its spool keeps."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from accelerator import owner
from accelerator.connecting_guess import Speaking
from accelerator.doctor_broker import listen_once
from accelerator.opening import broker_address
from accelerator.problems import Missing
from accelerator.settings import Settings
from ingest.guess import restored
from ingest.listing import listed

SAMPLES = 200
"""Newest kept messages of a topic that are looked at."""


async def unclaimed(settings: Settings, member: str | None) -> dict[str, list[Speaking]]:
    """Member -> its topics that belong to no machine, newest first.

    The broker knows them all; the spool, when it is in this data folder, knows more messages of each. Without a broker
    that answers, the spool alone is read.

    Raises:
        Missing: neither can be read; says why.
    """
    running = owner.find(settings.run_file)
    url = settings.broker or (running.broker if running else None)
    said, why = (None, "no broker is set and no `resilian up` runs on this data folder") if url is None else (
        await _retained(url)
    )  # fmt: skip
    kept = _kept(settings, member)
    if said is None and kept is None:
        raise Missing(f"{why}; and there is no spool in {settings.data_dir}: set RESILIAN_BROKER, or give --data")
    found: dict[str, list[Speaking]] = {}
    if said is None:
        for (one, topic), samples in (kept or {}).items():
            speaking = Speaking(topic, samples[0][0], samples[-1][0], len(samples), tuple(samples[-SAMPLES:]))
            found.setdefault(one, []).append(speaking)
    for one, devices in (said or {}).items():
        if member in (None, one) and devices:
            found[one] = [_speaking(device, (kept or {}).get((one, device["topic"]), [])) for device in devices]
    return {one: sorted(devices, key=lambda device: -device.last_ms) for one, devices in sorted(found.items())}


async def _retained(url: str) -> tuple[dict[str, list[dict[str, Any]]] | None, str]:
    heard = await listen_once(broker_address(url))
    if not heard.reached:
        return None, heard.reason
    start = "net/v1/unclaimed/"
    bodies = {topic[len(start) :]: body for topic, body in heard.retained.items() if topic.startswith(start)}
    return {one: body.get("devices", []) for one, body in bodies.items() if isinstance(body, dict)}, ""


def _kept(settings: Settings, member: str | None) -> dict[tuple[str, str], list[tuple[int, bytes]]] | None:
    spools = sorted(settings.data_dir.glob("ingest*/spool.sqlite"))  # a folder for each collector
    try:
        rows = [row for spool in spools for row in listed(spool, kind="unclaimed", member=member)]
    except (FileNotFoundError, sqlite3.DatabaseError):
        return None
    if not spools:
        return None
    found: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    for row in rows:
        found.setdefault((row["member"], row["topic"]), []).append((row["at"], row["prefix"].encode()))
    return found


def _speaking(device: Mapping[str, Any], kept: list[tuple[int, bytes]]) -> Speaking:
    newest = (int(device["last"]), str(device["prefix"]).encode())
    samples = [one for one in kept[-SAMPLES:] if one[0] < newest[0]]
    found = restored(device.get("guess"))
    return Speaking(device["topic"], device["first"], device["last"], device["messages"], (*samples, newest), found)
