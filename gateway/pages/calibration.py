"""Marks of power, set by whoever stands at the machine: "off", "standby", "working"."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet import edit
from fleet.batch import MachineKey
from fleet.edit import EditRefused
from gateway.access import Audience, OwnMachine, Scope
from gateway.catalog import later
from gateway.live import Now
from gateway.pages.home import change
from gateway.web import Page, page_of
from gateway.words import Words

router = APIRouter(include_in_schema=False)
FRESH: Final = timedelta(minutes=2)
Mark = Literal["off", "standby", "working"]
MARKS: Final[dict[Mark, tuple[str, str]]] = {
    "off": ("off_w", later("éteinte")),
    "standby": ("standby_w", later("en attente")),
    "working": ("working_w", later("au travail")),
}
_MISSING: Final = later(
    "aucune puissance n'est arrivée de cette machine depuis le démarrage du serveur : rien n'est noté"
)
_OLD: Final = later(
    "la dernière puissance date de plus de deux minutes : attendez la prochaine, puis appuyez de nouveau"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest power heard of a machine, watts, and the device time at which it was measured."""

    power_w: float
    at: datetime

    def fresh(self, now: datetime) -> bool:
        """Whether it may stand for what the machine does now."""
        return now - self.at <= FRESH


def newest(heard: Now | None) -> Reading | None:
    """The newest power heard; None when there never was one."""
    if heard is None or heard.power_w is None or heard.power_at is None:
        return None
    return Reading(heard.power_w, datetime.fromtimestamp(heard.power_at / 1000, UTC))


@router.post("/machines/{member}/{machine}/calibration")
async def mark(
    page: Annotated[Page, Depends(page_of)],
    member: str,
    machine: str,
    mark: Annotated[Mark, Form()],
    clear: Annotated[bool, Form()] = False,
    back: Annotated[Literal["", "connect"], Form()] = "",
) -> Response:
    """Record the newest power as this mark, or clear the mark; ``back`` says on which page the button stood.

    Raises:
        EditRefused: there is no power of the last two minutes, or the registry refuses the value.
    """
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    fields = _cleared(own, mark) if clear else _marked(own, scope, mark, page)
    await change(page.site, lambda: edit.calibrate(page.site.config.fleet_dir, own.key, fields))
    just = "" if clear else mark
    where = f"/connect?member={member}&claimed={machine}&" if back else f"/machines/{member}/{machine}?"
    return RedirectResponse(f"{where}marked={just}#calibration", 303)


def shown(own: OwnMachine, heard: Now | None, now: datetime, words: Words, just: str) -> dict[str, Any]:
    """What the page shows: the value that would be recorded, how old it is, and the marks with their date."""
    reading, kept = newest(heard), own.machine.calibration
    known = [watts for watts in (kept.off_w, kept.standby_w, kept.working_w) if watts is not None]
    return {
        "reading": reading,
        "fresh": reading is not None and reading.fresh(now),
        "marks": [
            {"id": name, "name": words.say(said), "value": getattr(kept, field), "just": name == just}
            for name, (field, said) in MARKS.items()
        ],
        "at": kept.at,
        "contradict": any(lower >= higher for lower, higher in itertools.pairwise(known)),
    }


def _marked(own: OwnMachine, scope: Scope, mark: Mark, page: Page) -> dict[str, object]:
    reading, (field, said) = newest(scope.live.machines.get(own.key)), MARKS[mark]
    name = page.words.say(said)
    if reading is None:
        raise EditRefused(name, "", page.words.say(_MISSING))
    if not reading.fresh(page.now):
        raise EditRefused(name, page.words.power(reading.power_w), page.words.say(_OLD))
    return {field: round(max(0.0, reading.power_w), 1), "at": page.now}


def _cleared(own: OwnMachine, mark: Mark) -> dict[str, object]:
    """Without any mark left, its date goes too."""
    kept = own.machine.calibration
    others = [getattr(kept, field) for name, (field, _) in MARKS.items() if name != mark]
    gone: dict[str, object] = {MARKS[mark][0]: None}
    return gone if any(value is not None for value in others) else {**gone, "at": None}
