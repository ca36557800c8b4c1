"""Figures by the names of ISO 22400-2, defined here alone, for plants that expect them.

Of the standard's time elements a machine's states tell these, over the observed staffed hours that were not lent:

- PBT, planned busy time: those hours themselves;
- APT, actual production time: PRODUCING;
- AUBT, actual unit busy time: PRODUCING, SETUP and FAULT. Waiting inside an order belongs to it too, and only the
  planning system knows orders, so it is a lower bound.

None of them measures under-use: utilization efficiency, APT / AUBT, is 100 % for a machine busy one hour a week.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.history import History
from fleet.records import HOUR_SECONDS
from fleet.states import FAULT, PRODUCING, SETUP

NOT_KNOWN: Final = ("oee", "teep")
"""They need the planned time of each piece and the good pieces, which no feed of ours carries."""


def figures(history: History, planned: NDArray[np.bool_] | None) -> dict[str, Any]:
    """The figures of a machine's hours; what cannot be known is None.

    Args:
        planned: staffed hours that were not lent, shape (len(history),); None when no staffed hours are stated.

    Power alone does not tell set-up from production, so APT is not known by it; AUBT is known of machines that publish
    their states and have told set-up.
    """
    none: dict[str, Any] = dict.fromkeys(
        ("coverage", "pbt_h", "aubt_h", "apt_h", "allocation_efficiency", "utilization_efficiency", "availability")
    )
    none |= dict.fromkeys(NOT_KNOWN)
    if planned is None or not planned.any():
        return none
    seconds = history.seconds[planned].sum(axis=0)
    busy_planned = float(history.observed[planned].sum())
    produced = float(seconds[PRODUCING]) if history.basis in ("state", "counter") else None
    tells_setup = history.basis == "state" and bool((history.seconds[:, SETUP] > 0).any())
    busy = float(seconds[[PRODUCING, SETUP, FAULT]].sum()) if tells_setup else None
    return none | {
        "coverage": busy_planned / (HOUR_SECONDS * int(planned.sum())),
        "pbt_h": busy_planned / HOUR_SECONDS,
        "aubt_h": None if busy is None else busy / HOUR_SECONDS,
        "apt_h": None if produced is None else produced / HOUR_SECONDS,
        "allocation_efficiency": _ratio(busy, busy_planned),
        "utilization_efficiency": _ratio(produced, busy),
        "availability": _ratio(produced, busy_planned),
    }


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
