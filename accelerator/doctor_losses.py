"""The doctor on what the broker lost: our session, or messages from a full queue."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from accelerator.doctor_health import health_of
from accelerator.doctor_machine import Step

_RECENT_MS: Final = 86_400_000
"""A day: what is older has been told often enough."""
_SESSION: Final = "let the broker keep its sessions on disk (persistence true, autosave_interval)"
_QUEUE: Final = "raise max_queued_messages and max_queued_bytes of the broker, or find out why the collector was away"


def losses_step(retained: Mapping[str, Any], now_ms: int, name: str = "ingest") -> list[Step]:
    """By the health of a collector: the newest loss of the last day; no step without one."""
    losses = health_of(retained, name).get("losses")
    recent = [loss for loss in losses or () if loss.get("at", 0) > now_ms - _RECENT_MS]
    if not recent:
        return []
    last = recent[-1]
    since = "before" if last.get("since") is None else f"between {_time(last['since'])} and"
    count = last.get("messages")
    many = "" if count is None else f" ({count} messages)"
    detail = f"{last['reason']}{many}; what was sent {since} {_time(last['at'])} may be missing"
    more = f", {len(recent)} losses in a day" if len(recent) > 1 else ""
    todo = f"{_SESSION if count is None else _QUEUE}; devices that keep what they sent can send it again"
    return [Step("losses", "wrong", detail + more, todo)]


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
