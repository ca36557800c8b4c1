"""The doctor on the collector's spool: whether it takes messages, and whether damage to the disk took any."""

from collections.abc import Mapping
from typing import Any

from accelerator.doctor_health import health_of
from accelerator.doctor_machine import Step


def spool_step(retained: Mapping[str, Any], name: str = "ingest") -> list[Step]:
    """By the health of a collector; no step when that does not run, which another step says."""
    health = health_of(retained, name)
    if not health.get("alive"):
        return []
    if health.get("full"):
        todo = "make room on the disk of RESILIAN_DATA_DIR; it goes on by itself, and nothing is lost meanwhile"
        return [Step("spool", "wrong", f"takes nothing, messages wait at the broker: {health['full']}", todo)]
    aside = health.get("quarantine") or {}
    if aside.get("batches"):
        detail = (
            f"{aside['readings']} acknowledged readings in {aside['batches']} batches are in quarantine: the disk did "
            "not give back what was written"
        )
        todo = (
            "check the disk; see `resilian rejects list --quarantine` for when it was, let devices that keep what they "
            "sent send it again, then `resilian rejects dismiss`"
        )
        return [Step("spool", "wrong", detail, todo)]
    waiting = health.get("spool_readings", 0)
    return [Step("spool", "ok", f"{waiting} readings wait for the store" if waiting else "nothing waits")]
