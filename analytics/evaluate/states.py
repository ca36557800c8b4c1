"""``evaluate states``: state inference against the labels of a recording.

Models are learned on the rows before the start of the test, as the worker learns them, and judged on the rows from it
on. A row's prediction is the state at its own time, with all the file says by then: a published state; else whether
the counter rose since the machine's row before; else the power level. A row of which none of these says anything is
UNKNOWN, and counts as wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate.files import Readings
from analytics.samples import samples
from analytics.states import SILENCE_FACTOR, StateModel, learn, resolve
from analytics.timeline import Channels
from fleet.batch import NO_INT, Rows, empty_rows
from fleet.network import Machine
from fleet.states import NO_STATE, PRODUCING, STANDBY, STATES, UNKNOWN

Codes = NDArray[np.uint8]
_DAY_S: Final = 86_400.0


class NothingToJudge(ValueError):
    """The file has no label on either side of the test's start, or no row to learn from."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One machine's test rows that carry a label, arrays of shape (n,): what was said and what was true.

    ``reason`` is why power says nothing of the state, "" when it does.
    """

    predicted: Codes
    label: Codes
    model: StateModel
    reason: str


def evaluate(
    readings: Readings, test_from: datetime, *, machines: Mapping[str, Machine] | None = None
) -> dict[str, Any]:
    """The answer of the command: ``{"accuracy", "kappa", "known", "n", "confusion", "machines": {...}, "notes"}``.

    Accuracy and Cohen's kappa judge PRODUCING against the rest; the confusion, ``{label: {predicted: rows}}``, counts
    all states. ``known`` is the share of the rows of which anything was said; UNKNOWN counts as wrong where the label
    is PRODUCING. Rows labelled UNKNOWN are not judged.

    Args:
        test_from: rows before it are learned from, rows from it on are judged; UTC when it has no offset.
        machines: declarations (calibration, period of the feed) by the file's names; the period is learned without one.

    Raises:
        NothingToJudge: no labelled row from ``test_from`` on.
    """
    test_from = test_from if test_from.tzinfo else test_from.replace(tzinfo=UTC)
    split_ms = round(test_from.timestamp() * 1000)
    judged: dict[str, Judged] = {}
    for index, name in enumerate(readings.machines):
        one = _judge(readings, index, split_ms, (machines or {}).get(name))
        if len(one.label):
            judged[name] = one
    if not judged:
        raise NothingToJudge(f"no row with a label from {test_from.isoformat()} on; the column is called label")
    predicted = np.concatenate([one.predicted for one in judged.values()])
    label = np.concatenate([one.label for one in judged.values()])
    per_machine = {
        name: {
            **agreement(one.predicted, one.label),
            "model": one.model.version,
            "source": one.model.source,
            "reason": one.reason,
        }
        for name, one in judged.items()
    }
    unlabelled = sorted(set(readings.machines) - set(judged))
    notes = [f"machine {name}: no labelled row to judge" for name in unlabelled]
    return {**agreement(predicted, label), "machines": per_machine, "notes": notes}


def predict(rows: Rows, model: StateModel) -> Codes:
    """The state at each distinct millisecond of one machine's rows, in order of time, shape (n,)."""
    end = int(rows["at_ns"].max()) // 1_000_000 + 1 if len(rows) else 0
    told = samples(rows, end)
    channels = Channels.of(told, model, None, end)
    predicted = np.full(len(told), UNKNOWN, dtype=np.uint8)
    powers, counts = channels.powers, channels.counts
    if model.by_power:
        predicted[~np.isnan(told.power_w)] = np.where(powers.level == NO_STATE, UNKNOWN, powers.level)
    if model.counter and len(counts.at):
        place = np.flatnonzero(told.counter != NO_INT)[1:]
        known = ~counts.reset[1:]
        rose = counts.at[1:] - counts.rose_at[1:] <= model.cycle_ms
        producing = (counts.pieces[1:] > 0) | rose
        predicted[place[known]] = np.where(producing[known], PRODUCING, STANDBY)
    published = told.state != NO_STATE
    predicted[published] = told.state[published]
    return predicted


def _judge(readings: Readings, index: int, split_ms: int, declared: Machine | None) -> Judged:
    mine = readings.machine == index
    rows, at = _rows(readings, mine), readings.at_ms[mine]
    machine = declared or Machine(id="machine", name=readings.machines[index], every=_period(at[at < split_ms]))
    silence = round(SILENCE_FACTOR * machine.every * 1000)
    learned = learn(rows, silence, split_ms, machine.rated_w)
    model = resolve(machine, learned)
    moments, first = np.unique(at, return_index=True)
    label = _labels(readings.label[mine], first)
    predicted = predict(rows, model)
    tested = (moments >= split_ms) & (label != NO_STATE) & (label != UNKNOWN)
    reason = learned.power[-1].reason if model.on_w is None else ""
    return Judged(predicted[tested], label[tested], model, reason)


def _labels(label: Codes, first: NDArray[np.intp]) -> Codes:
    """The label of each distinct time: the busiest where rows of one time differ, as the ledger decides."""
    folded: Codes = np.minimum.reduceat(label, first) if len(first) else label
    return folded


def _rows(readings: Readings, mine: NDArray[np.bool_]) -> Rows:
    rows = empty_rows(int(mine.sum()))
    rows["at_ns"] = readings.at_ms[mine] * 1_000_000
    same = np.flatnonzero(np.append(False, np.diff(rows["at_ns"]) == 0))
    rows["at_ns"][same] += same  # rows of one time are different readings
    rows["power_w"] = readings.power_w[mine]
    rows["counter"] = readings.count[mine]
    rows["state"] = readings.state[mine]
    return rows


def _period(at: NDArray[np.int64]) -> float:
    """Usual distance of two rows, seconds, within what a machine's declaration allows."""
    distance = np.diff(np.unique(at)) / 1000
    return float(np.clip(np.median(distance), 1.0, _DAY_S)) if len(distance) else 300.0


def agreement(predicted: Codes, label: Codes) -> dict[str, Any]:
    """Accuracy and Cohen's kappa of PRODUCING against the rest, and the confusion of all states.

    Args:
        predicted, label: codes of ``fleet.states``, shape (n,), n > 0.
    """
    said, true = predicted == PRODUCING, label == PRODUCING
    accuracy = float((said == true).mean())
    chance = float(said.mean() * true.mean() + (~said).mean() * (~true).mean())
    kappa = (accuracy - chance) / (1 - chance) if chance < 1 else None
    known, confusion = float((predicted != UNKNOWN).mean()), _confusion(predicted, label)
    return {"n": len(label), "accuracy": accuracy, "kappa": kappa, "known": known, "confusion": confusion}


def _confusion(predicted: Codes, label: Codes) -> dict[str, dict[str, int]]:
    size = len(STATES)
    table = np.bincount(label.astype(np.int64) * size + predicted, minlength=size * size).reshape(size, size)
    return {
        STATES[row].value: {STATES[column].value: int(table[row, column]) for column in np.flatnonzero(table[row])}
        for row in np.flatnonzero(table.sum(axis=1))
    }
