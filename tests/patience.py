"""How long a condition may take before a test fails; never how long it takes: a test that passes never waits for it."""

from typing import Final

PATIENCE_S: Final = 120.0
"""Enough for a machine that does much else beside; below the 300 s that a whole test may take."""
