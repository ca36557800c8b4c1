"""``/home`` Mon entreprise: flags that await an answer, and the member's machines as they are now."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.network import Answer, Mode
from fleet.records import Finding, FindingStatus
from gateway import devices as unclaimed
from gateway import refusals, troubles
from gateway.access import Audience, Hidden, OwnMachine, Scope
from gateway.catalog import later
from gateway.evidence import PROPOSING, rule_name, why
from gateway.web import Page, Site, page_of
from gateway.words import Words, states_of

router = APIRouter(include_in_schema=False)
_OFFERS: Final = "offers"
_STANDS: Final = timedelta(weeks=13)
_PURPOSE: Final = "capacité partageable"
_ANSWERS: Final = {"propose": later("proposer"), "reserve": later("garder en réserve"), "wrong": later("c'est faux")}
_NOTED: Final = later("noté")


@router.get("/home")
async def home(page: Annotated[Page, Depends(page_of)], member: str = "", again: str = "") -> Response:
    """The member's page; without a member, the choice of one. ``again`` is a machine whose flag is asked once more."""
    if not member and page.visitor.audience is Audience.OWNER:
        member = page.visitor.member
    if not member:
        if page.visitor.audience is not None:
            raise Hidden("home")
        return page.render("choose.html")
    scope = page.scope(Audience.OWNER, member)
    machines = scope.own_machines()
    waiting = [(own, finding) for own in machines for finding in awaiting(own, again=own.machine.id == again)]
    bases = sorted({own.present.basis for own in machines} - {"none"}, reverse=True) or ["state"]
    return page.render(
        "home.html",
        member=scope.picture.registry.members[member],
        machines=[_card(own, scope, page) for own in machines],
        bases=bases,
        codes=sorted({code for basis in bases for code in states_of(basis)} | {own.present.state for own in machines}),
        flags=[_flag(own, finding, page) for own, finding in waiting],
        answered=_answered(scope, page),
        live=sum(not own.present.silent for own in machines),
        devices=len(unclaimed.waiting(scope)[0]),
        modes=[(mode.value, page.words.mode(mode)) for mode in Mode],
    )


@router.post("/home/answer")
async def answer(
    page: Annotated[Page, Depends(page_of)],
    member: Annotated[str, Form()],
    machine: Annotated[str, Form()],
    rule: Annotated[str, Form()],
    answer: Annotated[Literal["propose", "reserve", "wrong"], Form()],
    because: Annotated[str, Form(max_length=200)] = "",
    mode: Annotated[Mode, Form()] = Mode.TOLL,
    share: Annotated[bool, Form()] = False,
) -> Response:
    """Keep the owner's answer to a flag; *proposer* makes an offer, and shares it when the signatory agrees."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    if rule not in own.findings or (answer == "propose" and rule not in PROPOSING):
        raise Hidden(rule)
    given = Answer(machine=machine, rule=rule, answer=answer, because=because.strip() or None, at=page.now)
    await change(page.site, lambda: _write(page.site, own, given, mode, share, page.now))
    return RedirectResponse(f"/home?member={member}#answered", 303)


async def change(site: Site, write: Callable[[], object]) -> None:
    """Change the registry's files and take the change in at once.

    Raises:
        fleet.edit.EditRefused: a value breaks a rule; the files are as they were.
        OSError: the disk refuses.
    """
    await asyncio.to_thread(write)
    site.picture.registry = await asyncio.to_thread(registry.load, site.config.fleet_dir, site.picture.registry)


def awaiting(own: OwnMachine, *, again: bool = False) -> list[Finding]:
    """Flags that no answer of the owner stands for, nor an offer that is one; all flags when ``again``."""
    flagged = [finding for finding in own.findings.values() if finding.status is FindingStatus.FLAGGED]
    return flagged if again else [one for one in flagged if not offered(own, one) and answer_to(own, one) is None]


def offered(own: OwnMachine, finding: Finding) -> bool:
    """Whether the flag is one that an offer answers, and there is one."""
    return own.machine.offer is not None and finding.rule in PROPOSING


def answer_to(own: OwnMachine, finding: Finding) -> Answer | None:
    """The owner's newest answer to the flag since it rose, or in the quarter before: rising anew is no news."""
    given = [
        answer
        for answer in own.member.answers
        if answer.machine == own.machine.id and answer.rule == finding.rule and answer.at >= finding.since - _STANDS
    ]
    return max(given, key=lambda answer: answer.at, default=None)


def answer_in_words(given: Answer, words: Words) -> dict[str, Any]:
    """What was answered, why, and when."""
    noted = given.answer == "reserve" and given.rule not in PROPOSING
    answer = words.say(_NOTED if noted else _ANSWERS[given.answer])
    return {"answer": answer, "because": given.because, "at": given.at}


def _write(site: Site, own: OwnMachine, given: Answer, mode: Mode, share: bool, at: datetime) -> None:
    folder, today = site.config.fleet_dir, at.astimezone(site.picture.zone).date()
    edit.set_answer(folder, own.member.slug, given)
    if given.answer == "reserve" and given.rule in PROPOSING and own.machine.offer is not None:
        edit.set_offer(folder, own.key, None)
    if given.answer != "propose":
        return
    if own.machine.offer is None:
        edit.set_offer(folder, own.key, {"kind": "measured", "mode": mode.value, "since": today})
    if share:
        consent = {
            "machine": own.machine.id,
            "recipient": "coordinator",
            "level": _OFFERS,
            "purpose": _PURPOSE,
            "since": today,
        }
        edit.set_consent(folder, own.member.slug, consent)


def _card(own: OwnMachine, scope: Scope, page: Page) -> dict[str, Any]:
    member, heard = own.key.member, scope.live.machines.get(own.key)
    refused = refusals.refused_now(member, own.machine, scope.live.rejects.get(member), heard, own.present.last)
    return {
        "refused": refusals.told(refused, page.words) if refused else None,
        "arriving": own.present.arriving,
        "slow": troubles.slow_clock(own.machine, heard, page.now, page.words),
        "own": own,
        "url": f"/machines/{own.key.member}/{own.key.machine}",
        "id": f"{own.key.member}.{own.key.machine}",
    }


def _flag(own: OwnMachine, finding: Finding, page: Page) -> dict[str, Any]:
    return {
        "own": own,
        "finding": finding,
        "name": rule_name(finding.rule, page.words),
        "why": why(finding, page.words, own.outlook),
        "proposes": finding.rule in PROPOSING,
        "offered": own.machine.offer is not None,
        "answer": answer_in_words(given, page.words) if (given := answer_to(own, finding)) else None,
        "url": f"/machines/{own.key.member}/{own.key.machine}",
        "shared": any(
            entry.recipient == "coordinator" and entry.level != "none" and entry.machine == own.machine.id
            for entry in own.member.consents
        ),
    }


def _answered(scope: Scope, page: Page) -> list[dict[str, Any]]:
    member = scope.picture.registry.members[scope.member]
    machines = {machine.id: machine.name for machine in member.machines}
    return [
        {
            "machine": machines.get(given.machine, given.machine),
            "rule": rule_name(given.rule, page.words),
            "id": given.machine,
            **answer_in_words(given, page.words),
        }
        for given in sorted(member.answers, key=lambda given: given.at.timestamp(), reverse=True)[:10]
    ]
