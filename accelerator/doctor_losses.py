"""The doctor on what the broker lost: our session, or messages from a full queue."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from accelerator.doctor_health import health_of
from accelerator.doctor_machine import Step

_RECENT_MS: Final = 86_400_000
"""A day: what is older has been told often enough."""
_SESSION: Final = "let the broker keep its sessions on disk (persistence true, autosave_interval)"
_QUEUE: Final = (
    "the log of the broker names the client (dropped for client ...): if it is a collector, raise max_queued_messages "
    "and max_queued_bytes, or find out why it was away"
)


def losses_step(retained: Mapping[str, Any], now_ms: int, name: str = "ingest") -> list[Step]:
    """By the health of a collector: of the last day the newest lost session, and the newest messages thrown away."""
    losses = health_of(retained, name).get("losses")
    recent = [loss for loss in losses or () if loss.get("at", 0) > now_ms - _RECENT_MS]
    sessions = [loss for loss in recent if loss.get("messages") is None]
    overflows = [loss for loss in recent if loss.get("messages") is not None]
    return [_step(kind, todo) for kind, todo in ((sessions, _SESSION), (overflows, _QUEUE)) if kind]


def _step(losses: Sequence[Mapping[str, Any]], todo: str) -> Step:
    last = losses[-1]
    since = "before" if last.get("since") is None else f"between {_time(last['since'])} and"
    count = last.get("messages")
    many = "" if count is None else f" ({count} messages)"
    detail = f"{last['reason']}{many}; what was sent {since} {_time(last['at'])} may be missing"
    more = f", {len(losses)} such losses in a day" if len(losses) > 1 else ""
    return Step("losses", "wrong", detail + more, f"{todo}; devices that keep what they sent can send it again")


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
