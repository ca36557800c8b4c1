"""Marks of power, set by whoever stands at the machine: "off", "standby", "working"."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet import edit
from fleet.batch import MachineKey
from fleet.edit import EditRefused
from fleet.plausible import contradictions
from gateway import troubles
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
    "standby": ("standby_w", later("en attente, sous tension")),
    "working": ("working_w", later("en production")),
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
    over: Annotated[bool, Form()] = False,
    was: Annotated[float | None, Form(ge=0, allow_inf_nan=False)] = None,
    back: Annotated[Literal["", "connect"], Form()] = "",
) -> Response:
    """Record the newest power as this mark; ``back`` says on which page the button stood.

    A mark that contradicts others is not recorded and the page says why; with ``over`` they are cleared instead.
    ``clear`` takes the mark away; ``was`` gives it the value back that it had.

    Raises:
        EditRefused: there is no power of the last two minutes, or the registry refuses the value.
    """
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    fields: dict[str, object] = _cleared(own, mark) if clear else {MARKS[mark][0]: was}
    told: dict[str, object] = {}
    if not clear and was is None:
        reading = _marked(own, scope, mark, page)
        watts = round(max(0.0, reading.power_w), 1)
        against = _against(own, mark, watts)
        if against and not over:
            return _back(own.key, back, refused=mark, watts=watts)
        before = getattr(own.machine.calibration, MARKS[mark][0])
        told = {"marked": mark} | ({"was": before} if before is not None else {})
        fields = {MARKS[mark][0]: watts, "at": page.now, **dict.fromkeys((MARKS[one][0] for one in against), None)}
    await change(page.site, lambda: edit.calibrate(page.site.config.fleet_dir, own.key, fields))
    return _back(own.key, back, **told)


def _back(key: MachineKey, back: str, **told: object) -> Response:
    """To the page on which the button stood."""
    place = {"member": key.member, "claimed": key.machine} if back else {}
    where = "/connect" if back else f"/machines/{key.member}/{key.machine}"
    query = urlencode({**place, **told})
    return RedirectResponse(f"{where}{f'?{query}' if query else ''}#calibration", 303)


def shown(own: OwnMachine, heard: Now | None, page: Page) -> dict[str, Any]:
    """What the page shows: the value that would be recorded, how old it is, and the marks with their date."""
    reading, kept, asked = newest(heard), own.machine.calibration, page.request.query_params
    return {
        "reading": reading,
        "fresh": reading is not None and reading.fresh(page.now),
        "slow": troubles.slow_clock(own.machine, heard, page.now, page.words),
        "marks": [
            {"id": name, "name": page.words.say(said), "value": getattr(kept, field),
             "just": name == asked.get("marked"), "was": _watts(asked.get("was"))}
            for name, (field, said) in MARKS.items()
        ],
        "at": kept.at,
        "refused": _refused(own, asked.get("refused"), _watts(asked.get("watts")), page.words),
        "contradict": bool(contradictions(kept.model_dump())),
    }  # fmt: skip


def _marked(own: OwnMachine, scope: Scope, mark: Mark, page: Page) -> Reading:
    """The power that the mark would be."""
    reading, name = newest(scope.live.machines.get(own.key)), page.words.say(MARKS[mark][1])
    if reading is None:
        raise EditRefused(name, "", page.words.say(_MISSING))
    if not reading.fresh(page.now):
        slow = troubles.slow_clock(own.machine, scope.live.machines.get(own.key), page.now, page.words)
        why = f"{slow.text} {slow.todo}" if slow else page.words.say(_OLD)
        raise EditRefused(name, page.words.power(reading.power_w), why)
    return reading


def _against(own: OwnMachine, mark: Mark, watts: float) -> list[Mark]:
    """The marks that this one would contradict."""
    field = MARKS[mark][0]
    pairs = contradictions({**own.machine.calibration.model_dump(), field: watts}, field)
    return [name for name, (other, _) in MARKS.items() if name != mark and any(other in pair for pair in pairs)]


def _refused(own: OwnMachine, mark: str | None, watts: float | None, words: Words) -> dict[str, Any] | None:
    """A mark that was pressed and not recorded, and those that it contradicts."""
    name = next((one for one in MARKS if one == mark), None)
    if name is None or watts is None:
        return None
    against = _against(own, name, watts)
    order = list(MARKS)
    said = [
        words.say("« %(name)s » (%(power)s)", name=words.say(MARKS[one][1]),
                  power=words.power(getattr(own.machine.calibration, MARKS[one][0])))
        for one in against
    ]  # fmt: skip
    above = bool(against) and order.index(name) > order.index(against[0])
    names = words.listed([words.say("« %(name)s »", name=words.say(MARKS[one][1])) for one in against])
    mine = words.say(MARKS[name][1])
    return {"id": name, "name": mine, "watts": watts, "against": words.listed(said), "above": above, "names": names}


def _watts(text: str | None) -> float | None:
    """A power that stands in the page's own address."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _cleared(own: OwnMachine, mark: Mark) -> dict[str, object]:
    """Without any mark left, its date goes too."""
    kept = own.machine.calibration
    others = [getattr(kept, field) for name, (field, _) in MARKS.items() if name != mark]
    gone: dict[str, object] = {MARKS[mark][0]: None}
    return gone if any(value is not None for value in others) else {**gone, "at": None}
