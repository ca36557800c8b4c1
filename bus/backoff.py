"""How long to wait before the next attempt: exponential, with full jitter, so that many clients do not come as one."""

import random
from typing import Final

LEAST_S: Final = 0.05
"""Leaves the broker time to see the end of the last connection: two of one client id at once confuse some."""
FIRST_S: Final = 0.2
LONGEST_S: Final = 30.0
WELCOME_LONGEST_S: Final = 5.0
"""After a connection that the broker had accepted: a line that breaks every few seconds still carries something."""


class Backoff:
    """Doubles the ceiling with each failure, from ``FIRST_S`` up; ``failures`` counts those in a row."""

    def __init__(self) -> None:
        self.failures = 0

    def succeeded(self) -> None:
        """Start anew."""
        self.failures = 0

    def failed(self, longest_s: float = LONGEST_S) -> float:
        """Seconds to wait now: uniform between ``LEAST_S`` and the ceiling, which is at most ``longest_s``."""
        ceiling = min(longest_s, FIRST_S * 2 ** min(self.failures, 16))
        self.failures += 1
        return random.uniform(LEAST_S, ceiling)  # noqa: S311  # jitter, no secret
