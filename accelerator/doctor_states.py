"""Whether a machine's states can be inferred, and if not why, in the doctor's words."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from analytics.states import Learned
from analytics.untold import PASSING, Untold, untold
from fleet.network import Machine

_MARK: Final = "mark `off`, `standby` and `working` once, standing at the machine: resilian machine calibrate {key}"
_NOT: Final = "its state is not inferable"
_FORMAT: Final = "let it send a state or its power, or correct its format"
WHY: Final[Mapping[Untold, tuple[str, str]]] = {
    "few": (
        "there is less than a day of power, or fewer than 100 readings, to learn thresholds from",
        "wait for a day, or " + _MARK,
    ),
    "one-level": (
        "its power has stayed on one level: it was always at work or never",
        "wait until it has worked and rested, or " + _MARK,
    ),
    "close": (
        "the levels of its power lie too close to tell work from rest",
        "use a finer meter or put the clamp on this machine alone, or " + _MARK,
    ),
    "seldom": ("one level of its power was seen for less than 7 hours", "wait until it has worked more, or " + _MARK),
    "restless": (
        "it was never seen at rest for four hours: its lower level may be work, too",
        _MARK,
    ),
    "counter": (
        "power and counter disagree in more than a tenth of the time",
        "see that both belong to this machine, or " + _MARK,
    ),
    "ambiguous": ("a level between rest and full power may be work or idling", _MARK),
    "idle": (
        "its power has stayed below 15 % of its rated power: it was not seen at work, or the clamp misses part of it",
        "check clamp and `rated_w` of the machine in its member's file, or " + _MARK,
    ),
    "nothing": ("it sends neither a state nor a counter nor its power", _FORMAT),
    "counter-slow": ("it sends a counter alone, and that rises less than once an hour", _FORMAT),
    "counter-still": ("it sends a counter alone, and that does not move", _FORMAT),
    "moved": (
        "the levels of its power have changed since its owner marked them: a moved clamp, or a changed machine",
        "look at the clamp, then " + _MARK,
    ),
}
"""Reason -> what is the matter, what to do."""


class Trouble(NamedTuple):
    """What is the matter and what to do; ``passing`` when time alone will mend it."""

    what: str
    todo: str
    passing: bool = False


def not_inferable(name: str, machine: Machine, newest: Mapping[str, Any]) -> Trouble | None:
    """What is the matter with the states of a machine that speaks; None when they are known.

    Args:
        name: member and machine as a command takes them.
        newest: of its newest reading; ``basis`` of its newest hour, ``power_max_w`` of the last day, the ``model``.
    """
    learned = Learned.from_json(json.dumps(newest["model"])) if newest.get("model") else Learned()
    reason = untold(machine, learned, newest.get("basis"), power=newest.get("power_max_w") is not None)
    if not reason:
        return None
    what, todo = WHY[reason]
    known = reason == "moved"  # by levels that were learned anew
    return Trouble(what if known else f"{_NOT}: {what}", todo.format(key=name), reason in PASSING)
