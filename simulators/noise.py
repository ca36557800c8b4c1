"""Random numbers that are functions of a key and an instant.

A reading's noise must not depend on which readings were made before it, so that a stream is the same however its span
is cut into pieces. The mixing is splitmix64 (Steele, Lea, Flood, 2014), on whole columns.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Millis = NDArray[np.int64]


def key_of(*parts: str | int) -> int:
    """A 64-bit key of the parts, the same on every machine and in every run."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def uniform(key: int, at_ms: Millis) -> Floats:
    """One number in [0, 1) for each instant, shape as ``at_ms``."""
    mixed = at_ms.astype(np.uint64) + np.uint64(key)
    mixed = (mixed + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    unit: Floats = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return unit


def normal(key: int, at_ms: Millis) -> Floats:
    """About standard normal, within +-3.5: the sum of four uniforms, centred and scaled (Irwin-Hall)."""
    total = sum((uniform(key + stream, at_ms) for stream in range(4)), start=np.zeros(len(at_ms)))
    scaled: Floats = (total - 2.0) * 3.0**0.5
    return scaled


def generator(*parts: str | int) -> np.random.Generator:
    """A generator that belongs to the parts alone: no other stream is drawn from it."""
    return np.random.default_rng(key_of(*parts))
