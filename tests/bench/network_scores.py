"""Figures of a simulated network: flags by rule against the truth, missing evidence, whether what is stated holds."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate.states import agreement
from fleet.states import UNKNOWN
from simulators.troubles import Trouble
from tests.bench import energy_truth
from tests.bench.network_world import Judged

TRUTH: Final[dict[str, Callable[[Judged], bool]]] = {
    "structural-underuse": lambda one: one.use < one.threshold and one.trouble is not Trouble.SOLD,
    "overload": lambda one: one.overloaded and one.trouble is not Trouble.SOLD,
    "moved-clamp": lambda one: one.trouble is Trouble.CLAMP,
    "idle-but-drawing": lambda one: energy_truth.TRUE["idle-but-drawing"](one.wasted),
    "never-off-at-night": lambda one: energy_truth.TRUE["never-off-at-night"](one.wasted),
    "degrading-coverage": lambda one: one.trouble is Trouble.FEED,
}
"""What each rule claims, by the weeks to come or by what was done to the machine."""
_EDGES: Final = np.array([0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0 + 1e-9])
_NEAR: Final = 0.02
_ROUNDED: Final = 0.01


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """All of it, JSON values only."""
    rules = sorted({rule for one in judged for rule in one.said})
    return {
        "machines": len(judged),
        "troubles": dict(Counter(one.trouble.value for one in judged if one.trouble)),
        "rules": {rule: of_rule(judged, rule) for rule in rules},
        "states": {"told or counted": _states(_told(judged)), "power": _states(_by_power(judged))},
        "honesty": {
            "certainty of under-use, states told or counted": _certainty(
                [one for one in judged if one.basis != "power"]
            ),
            "certainty of under-use, states from power": _certainty(_by_power(judged)),
            "utilisation, states told or counted": _utilisation(_told(judged)),
            "utilisation, states from power": _utilisation(_by_power(judged)),
            "shareable hours": _shareable(judged),
            "windows": _windows(judged),
        },
    }


def of_rule(judged: Sequence[Judged], rule: str) -> dict[str, Any]:
    """Counts and shares of one rule; ``recall`` is of the true ones that evidence sufficed for."""
    asked = [one for one in judged if rule in one.said]
    status = Counter(one.said[rule][0] for one in asked)
    missing = Counter(reason for said, reason in (one.said[rule] for one in asked) if said == "insufficient_evidence")
    found: dict[str, Any] = {"n": len(asked), "flagged": status["flagged"], "clear": status["clear"]}
    if rule in TRUTH:
        found |= _against(asked, rule, TRUTH[rule])
    return found | {"insufficient": {name: round(count / len(asked), 4) for name, count in missing.most_common()}}


def _against(asked: Sequence[Judged], rule: str, truth: Callable[[Judged], bool]) -> dict[str, Any]:
    flagged = [one for one in asked if one.said[rule][0] == "flagged"]
    true = [one for one in asked if truth(one)]
    told = [one for one in true if one.said[rule][0] != "insufficient_evidence"]
    hits = sum(truth(one) for one in flagged)
    return {
        "true": len(true),
        "precision": _share(hits, len(flagged)),
        "recall": _share(hits, len(told)),
        "recall_insufficient_missed": _share(hits, len(true)),
        "wrong_of_untrue": _share(len(flagged) - hits, len(asked) - len(true)),
        "by_trouble": {
            name: {
                "n": sum(_trouble(one) == name for one in asked),
                "flagged": sum(_trouble(one) == name for one in flagged),
                "wrong": sum(_trouble(one) == name and not truth(one) for one in flagged),
            }
            for name in ("none", *Trouble)
        },
    }


def _trouble(one: Judged) -> str:
    return "none" if one.trouble is None else one.trouble.value


def _states(judged: Sequence[Judged]) -> dict[str, Any]:
    """Of the time in which the state was known, of machines in no trouble; and how much of it was."""
    some = [one.states for one in judged if one.trouble is None]
    if not some:
        return {"n": 0}
    derived, true = (np.concatenate(column) for column in zip(*some, strict=True))
    known = derived != UNKNOWN
    return {"known": round(float(known.mean()), 4), **agreement(derived[known], true[known])}


def _by_power(judged: Sequence[Judged]) -> list[Judged]:
    return [one for one in judged if one.basis == "power"]


def _told(judged: Sequence[Judged]) -> list[Judged]:
    return [one for one in judged if one.basis in ("state", "counter")]


def _certainty(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    told = [one for one in judged if one.certainty is not None and one.trouble is not Trouble.SOLD]
    return _reliability(
        np.array([one.certainty for one in told], np.float64), np.array([one.use < one.threshold for one in told])
    )


def _utilisation(judged: Sequence[Judged]) -> dict[str, Any]:
    """Errors of the stated figure; and of the interval from it to what it may be at most, a point allowed."""
    rows = [one.used for one in judged if one.used is not None and one.trouble is None]
    least, most, true = np.array(rows, np.float64).reshape(-1, 3).T
    off = np.abs(least - true)
    inside = (true >= least - _ROUNDED) & (true <= most + _ROUNDED)
    return {
        "n": len(off),
        f"within {_NEAR:.0%}": _share(int((off <= _NEAR).sum()), len(off)),
        "mean error": round(float(off.mean()), 4) if len(off) else None,
        "mean bias": round(float((least - true).mean()), 4) if len(off) else None,
        "inside": _share(int(inside.sum()), len(off)),
        "median width": round(float(np.median(most - least)), 4) if len(off) else None,
        "mean bias of the upper end": round(float((most - true).mean()), 4) if len(off) else None,
    }


def _shareable(judged: Sequence[Judged]) -> dict[str, Any]:
    told = [one for one in judged if one.promise is not None and one.kept and one.trouble is None]
    stated = [one.promise[1] for one in told if one.promise is not None for _ in one.kept]
    held = [bool(hours >= one.promise[0] - 1e-6) for one in told if one.promise is not None for hours in one.kept]
    return {"n": len(held), "stated": _mean(stated), "kept": _share(sum(held), len(held))}


def _windows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Bins, and at last all windows with the expected calibration error."""
    some = [one.windows for one in judged if len(one.windows.stated) and one.trouble is None]
    if not some:
        return []
    stated, free = (np.concatenate(column) for column in zip(*some, strict=True))
    bins = _reliability(stated, free)
    error = sum(row["n"] * abs(row["stated"] - row["true"]) for row in bins) / len(stated)
    whole = {"stated": float(stated.mean().round(3)), "true": float(free.mean().round(3)), "n": len(stated)}
    return [*bins, {**whole, "ece": round(error, 3)}]


def _reliability(stated: NDArray[np.float64], true: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Bins of stated chances: their mean, the share that came true, how many."""
    place = np.searchsorted(_EDGES, stated, side="right") - 1
    bins = [(stated[place == index], true[place == index]) for index in range(len(_EDGES) - 1)]
    return [
        {"stated": round(float(chances.mean()), 3), "true": round(float(came.mean()), 3), "n": len(chances)}
        for chances, came in bins
        if len(chances)
    ]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
