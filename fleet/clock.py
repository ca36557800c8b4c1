"""The instant, asked for in one place; pure functions take it as an argument instead."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """The present instant, epoch milliseconds."""
    return time.time_ns() // 1_000_000
