"""What goes wrong between a machine and the broker: silence, clocks, repeats, disorder, rubbish."""

from dataclasses import dataclass

from simulators.noise import generator


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How badly one device is connected.

    Attributes:
        dropouts_per_week: mean number of times the feed falls silent, two thirds of them at a week-end.
        dropout_minutes: median length of one; log-normal with sigma 1.
        buffers: the device keeps what it could not send and sends it afterwards, with ``seq`` and ``boot``.
        clock_offset_s: its clock minus the true time.
        duplicates, reordered: share of the live messages sent twice, or after the next one.
        garbage: share of the live messages whose power is the text ``NaN``.
        mute_from_ms: from then on, epoch ms, nothing comes: a fallen clamp; None for a feed that lives.
        clamp_moved_ms: from then on, epoch ms, the meter reads its power times ``clamp_factor``; None for never.
        worsens_from_ms: from then on, epoch ms, every week has ``worsens_per_week`` more dropouts than the one before.
    """

    dropouts_per_week: float = 0.0
    dropout_minutes: float = 90.0
    buffers: bool = False
    clock_offset_s: float = 0.0
    duplicates: float = 0.0
    reordered: float = 0.0
    garbage: float = 0.0
    mute_from_ms: int | None = None
    clamp_moved_ms: int | None = None
    clamp_factor: float = 1.0
    worsens_from_ms: int | None = None
    worsens_per_week: float = 0.0

    def dropouts_in(self, start: float, end: float) -> float:
        """Mean number of dropouts of the week from ``start`` to ``end``, epoch seconds."""
        if self.worsens_from_ms is None or end * 1000 <= self.worsens_from_ms:
            return self.dropouts_per_week
        return self.dropouts_per_week + self.worsens_per_week * (end - self.worsens_from_ms / 1000) / (end - start)


PERFECT = Imperfections()


def imperfections_of(seed: int, member: str, machine: str) -> Imperfections:
    """The imperfections of a machine: six of twenty fall silent, two repeat or reorder; one clock of fifty is wrong."""
    rng = generator(seed, member, machine, "imperfections")
    fate, clock, rate, length = rng.random(4).tolist()
    return Imperfections(
        dropouts_per_week=0.3 + 1.2 * rate if fate < 0.3 else 0.0,
        dropout_minutes=45 + 300 * length,
        buffers=fate < 0.1,
        clock_offset_s=-3600.0 if clock < 0.02 else 0.0,
        duplicates=0.02 if 0.3 <= fate < 0.35 else 0.0,
        reordered=0.02 if 0.35 <= fate < 0.4 else 0.0,
    )


def dropouts(
    faults: Imperfections, seed: int, name: str, week: int, bounds: tuple[float, float]
) -> list[tuple[float, float]]:
    """Spans of the week (epoch seconds) in which the feed of machine ``name`` is silent; sorted, within ``bounds``."""
    start, end = bounds
    expected = faults.dropouts_in(start, end)
    if not expected:
        return []
    rng = generator(seed, name, week, "dropouts")
    spans = []
    for _ in range(int(rng.poisson(expected))):
        weekend = rng.random() < 2 / 3
        day = rng.uniform(5, 7) if weekend else rng.uniform(0, 5)
        begin = start + (end - start) * day / 7
        length = 60 * faults.dropout_minutes * float(rng.lognormal(0, 1))
        spans.append((begin, min(begin + length, end)))
    return sorted(spans)
