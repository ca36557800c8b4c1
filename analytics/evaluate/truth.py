"""Inferred states against a truth that is known at every instant: seconds of each true state in each state said.

Pure, one machine at a time: its readings, its declaration, and the truth as intervals.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.samples import Codes, Floats, Ints, samples
from analytics.states import SILENCE_FACTOR, StateModel, learn, resolve
from analytics.timeline import Channels, runs
from fleet.batch import Rows
from fleet.network import Machine
from fleet.states import MAINTENANCE, PRODUCING, SETUP, STATES, UNKNOWN

_STATES: Final = len(STATES)


class Truth(NamedTuple):
    """What a machine really did: intervals in order without overlap, epoch ms and state codes, shape (n,)."""

    start_ms: Ints
    end_ms: Ints
    state: Codes


class Judged(NamedTuple):
    """One machine against its truth.

    Attributes:
        seconds: of each true state (rows) in each state said (columns), shape (7, 7).
        silent: seconds of its feed's silence, three periods after it began, and of them said to be UNKNOWN.
        model: what was in force.
        reason: why power says nothing; "" when it does.
    """

    seconds: Floats
    silent: tuple[float, float]
    model: StateModel
    reason: str


def judge(
    rows: Rows,
    machine: Machine,
    truth: Truth,
    from_ms: int,
    until_ms: int,
    *,
    learn_until_ms: int | None = None,
    silences: Iterable[tuple[int, int]] = (),
) -> Judged:
    """Judge the states of [from_ms, until_ms) that follow from a machine's readings.

    Args:
        rows: its readings in any order, those to learn from included.
        learn_until_ms: what is learned is learned from readings before it; ``from_ms`` by default.
        silences: spans (epoch ms) in which nothing was sent.
    """
    silence_ms = round(SILENCE_FACTOR * machine.every * 1000)
    before_ms = from_ms if learn_until_ms is None else learn_until_ms
    learned = learn(rows, silence_ms, before_ms, machine.rated_w)
    model = resolve(machine, learned)
    told = samples(rows, until_ms)
    found = runs(Channels.of(told, model, None, until_ms), model, from_ms)
    edges = np.unique(np.clip(np.concatenate([found.start, truth.start_ms, truth.end_ms]), from_ms, until_ms))
    said = _said(found.start, found.state, edges[:-1])
    true = _true(truth, edges[:-1])
    known = true != UNKNOWN
    place = true[known].astype(np.int64) * _STATES + said[known]
    lengths = np.diff(edges)[known] / 1000
    seconds = np.bincount(place, weights=lengths, minlength=_STATES**2).astype(np.float64).reshape(_STATES, _STATES)
    reason = "" if model.on_w is not None else learned.power[-1].reason
    quiet = [(max(begin + silence_ms, from_ms), min(end, until_ms)) for begin, end in silences]
    return Judged(seconds, _unknown(found.start, found.state, quiet), model, reason)


def figures(seconds: NDArray[np.float64]) -> dict[str, Any]:
    """What a table (7, 7) of seconds comes to; None where there is nothing to judge.

    ``known`` is the share of the time that was not said to be UNKNOWN. Of that, PRODUCING against the rest gives
    ``accuracy`` and Cohen's ``kappa``; ``in_use`` is the accuracy of PRODUCING and SETUP against the rest, all that
    power can tell. Time in MAINTENANCE and FAULT counts with the rest.
    """
    whole, told = float(seconds.sum()), np.delete(seconds, UNKNOWN, axis=1)
    if not told.sum():
        return {"known": 0.0 if whole else None, "accuracy": None, "kappa": None, "in_use": None}
    accuracy, kappa = _agreement(told, [PRODUCING])
    in_use, _ = _agreement(told, [PRODUCING, SETUP])
    return {"known": float(told.sum()) / whole, "accuracy": accuracy, "kappa": kappa, "in_use": in_use}


def table(seconds: NDArray[np.float64]) -> dict[str, dict[str, int]]:
    """``{true: {said: seconds}}`` of what is not 0."""
    rounded = np.rint(seconds).astype(np.int64)
    return {
        STATES[row].value: {STATES[column].value: int(rounded[row, column]) for column in np.flatnonzero(rounded[row])}
        for row in np.flatnonzero(rounded.sum(axis=1))
    }


def _agreement(told: NDArray[np.float64], codes: list[int]) -> tuple[float, float | None]:
    chosen = np.isin(np.arange(_STATES), codes)
    rows = np.stack([told[chosen].sum(axis=0), told[~chosen].sum(axis=0)])
    pairs = np.stack([rows[:, chosen[: MAINTENANCE + 1]].sum(axis=1), rows[:, ~chosen[: MAINTENANCE + 1]].sum(axis=1)])
    share = pairs / pairs.sum()
    accuracy = float(np.trace(share))
    chance = float((share.sum(axis=0) * share.sum(axis=1)).sum())
    return accuracy, (accuracy - chance) / (1 - chance) if chance < 1 else None


def _said(start: Ints, state: Codes, at: Ints) -> Codes:
    found: Codes = state[np.maximum(np.searchsorted(start, at, side="right") - 1, 0)]
    return found


def _true(truth: Truth, at: Ints) -> Codes:
    """The true state at these times; UNKNOWN where no interval says."""
    place = np.searchsorted(truth.start_ms, at, side="right") - 1
    inside = (place >= 0) & (at < truth.end_ms[np.maximum(place, 0)])
    return np.where(inside, truth.state[np.maximum(place, 0)], UNKNOWN).astype(np.uint8)


def _unknown(start: Ints, state: Codes, spans: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Seconds of the spans, and of them in UNKNOWN."""
    whole = unknown = 0.0
    for begin, end in spans:
        if end <= begin:
            continue
        edges = np.unique(np.clip(np.append(start, [begin, end]), begin, end))
        lengths = np.diff(edges) / 1000
        whole += float(lengths.sum())
        unknown += float(lengths[_said(start, state, edges[:-1]) == UNKNOWN].sum())
    return whole, unknown
