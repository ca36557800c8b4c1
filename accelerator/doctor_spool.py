"""The doctor on the collector's spool: whether it takes messages and how long it will, and whether damage took any."""

from collections.abc import Mapping
from typing import Any, Final

from accelerator.doctor_health import health_of
from accelerator.doctor_machine import Step
from gateway.collectors import NAMED_SHARE, SOON_S

_MOVED: Final = (
    "beside InfluxDB a member that fills it may go to a collector with a spool of its own while this one still takes "
    "messages: `resilian ingest move MEMBER --to NAME`"
)


def spool_step(retained: Mapping[str, Any], name: str = "ingest") -> list[Step]:
    """By the health of a collector; no step when that does not run, which another step says."""
    health = health_of(retained, name)
    if not health.get("alive"):
        return []
    if health.get("full"):
        todo = "start the store, or make room on the disk of RESILIAN_DATA_DIR; it goes on by itself"
        detail = f"takes nothing, the messages of all members wait at the broker: {health['full']}{_filled_by(health)}"
        return [Step("spool", "wrong", detail, todo)]
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
    left = health.get("spool_full_in_s")
    if left is not None and left < SOON_S:
        return [_filling_step(health, left)]
    waiting = health.get("spool_readings", 0)
    return [Step("spool", "ok", f"{waiting} readings wait for the store" if waiting else "nothing waits")]


def _filling_step(health: Mapping[str, Any], left_s: float) -> Step:
    waits, quota = health.get("spool_bytes", 0), health.get("spool_quota_bytes") or 1
    detail = (
        f"fills: {waits / 1e6:.0f} MB wait ({waits / quota:.0%} of its quota), and at this rate it is full in "
        f"{_duration(left_s)}{_filled_by(health)}; then the messages of all members wait at the broker"
    )
    todo = f"start the store, or find out why it is slow, before that; {_MOVED}"
    return Step("spool", "wrong", detail, todo)


def _filled_by(health: Mapping[str, Any]) -> str:
    most = health.get("filled_by") or {}
    if most.get("share", 0) < NAMED_SHARE:
        return ""
    return f"; {most['share']:.0%} of the readings are from {most['member']}"


def _duration(seconds: float) -> str:
    """A length of time: ``3 h 20 min``."""
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
