"""The past of a plant as canonical JSON arrays, built column by column: a reading costs about a microsecond."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from fleet.states import STATES
from fleet.topics import reading_topic
from simulators import meter
from simulators.imperfections import dropouts
from simulators.noise import Millis
from simulators.plant import Plant
from simulators.timeline import Samples, Timeline

ARRAY_BYTES: Final = 16_000
"""Largest payload of an array: brokers commonly stop at 20 kB, and larger ones gain nothing."""
_FOR_EVER_MS: Final = 2**62
WEEK_MS: Final = 7 * 86_400_000


def arrays(rows: Sequence[str], limit: int = ARRAY_BYTES) -> Iterator[bytes]:
    """JSON objects (ASCII text) joined to JSON arrays of at most ``limit`` bytes, one object at least."""
    if not rows:
        return
    step = max(1, (limit - 2) // (max(map(len, rows)) + 1))
    for first in range(0, len(rows), step):
        yield ("[" + ",".join(rows[first : first + step]) + "]").encode()


def weeks_back(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The span in pieces of a week, the newest first; the oldest may be shorter."""
    while end_ms > start_ms:
        piece = max(start_ms, end_ms - WEEK_MS)
        yield piece, end_ms
        end_ms = piece


def past(plant: Plant, timeline: Timeline, start_ms: int, end_ms: int, every_ms: int) -> tuple[str, list[str]]:
    """Topic and readings, as JSON objects, of a span of the past.

    A reading stands at each change of state and every ``every_ms`` of a state. A format that tells no state or no
    counter does not tell it in its history either. Silent spans of a device that buffers nothing are left out.
    """
    samples = heard(plant, timeline, start_ms, end_ms, every_ms)
    return reading_topic(*plant.key), list(_objects(plant, samples))


def heard(plant: Plant, timeline: Timeline, start_ms: int, end_ms: int, every_ms: int) -> Samples:
    """What the meter read in a span of the past, without the silent spans of a device that buffers nothing."""
    beats = timeline.beats(start_ms, end_ms, every_ms)
    return meter.read(plant.imperfections, timeline, beats[_heard(plant, beats)], averaged=True)


def silences(plant: Plant, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Spans (epoch ms) in which the plant's feed is silent, of all weeks that touch the span."""
    first, last = (plant.schedule.week_at(at / 1000) for at in (start_ms, end_ms))
    for week in range(first, last + 1):
        bounds = plant.schedule.bounds(week)
        for begin, end in dropouts(plant.imperfections, plant.seed, plant.name, week, bounds):
            yield round(begin * 1000), round(end * 1000)
    if plant.imperfections.mute_from_ms is not None:
        yield plant.imperfections.mute_from_ms, _FOR_EVER_MS


def _heard(plant: Plant, at_ms: Millis) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside = np.ones(len(at_ms), dtype=np.bool_)
    if not plant.imperfections.buffers and len(at_ms):
        for begin, end in silences(plant, int(at_ms[0]), int(at_ms[-1])):
            inside &= (at_ms < begin) | (at_ms >= end)
    return inside


def _objects(plant: Plant, samples: Samples) -> Iterable[str]:
    fields = ['"at":%d', '"power_w":%.1f']
    columns: list[list[object]] = [samples.at_ms.tolist(), samples.power_w.tolist()]
    told: tuple[tuple[bool, str, list[object]], ...] = (
        (
            plant.format.tells_state,
            '"state":"%s"',
            [plant.format.heard(STATES[code].value) for code in samples.state.tolist()],
        ),
        (plant.format.tells_count, '"count":%d', samples.count.tolist()),
        (plant.format.tells_energy, '"energy_wh":%.1f', samples.energy_wh.tolist()),
    )
    for tells, field, column in told:
        if tells:
            fields.append(field)
            columns.append(column)
    template = "{" + ",".join(fields) + "}"
    return map(template.__mod__, zip(*columns, strict=True))
