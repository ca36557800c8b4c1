"""The findings of one machine on its owner's page: what is flagged first, what cannot be concluded in one line."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response

from fleet import edit
from fleet.batch import MachineKey
from fleet.records import Finding, FindingStatus
from gateway import evidence, evidence_rows
from gateway.access import Audience, OwnMachine
from gateway.pages import home
from gateway.web import Page, page_of
from gateway.words import Words

router = APIRouter(include_in_schema=False)


@router.post("/machines/{member}/{machine}/works")
async def works(page: Annotated[Page, Depends(page_of)], member: str, machine: str) -> Response:
    """The owner's word that a machine that seems idle is in working order."""
    own = page.scope(Audience.OWNER, member).own(MachineKey(member, machine))
    await home.change(page.site, lambda: edit.confirm_works(page.site.config.fleet_dir, own.key, page.now))
    return RedirectResponse(f"/machines/{member}/{machine}#findings", 303)


def told(own: OwnMachine, words: Words) -> dict[str, Any]:
    """``findings`` that say something, and ``undecided`` ones under the one line ``undecided_line``."""
    found = [_told(own, rule, words) for rule in in_order(own)]
    undecided = [one for one in found if one["undecided"]]
    reasons = [own.findings[one["rule"]] for one in undecided]
    return {
        "findings": [one for one in found if not one["undecided"]],
        "undecided": undecided,
        "undecided_line": line(reasons, words) if undecided else "",
    }


def line(undecided: Iterable[Finding], words: Words) -> str:
    """How many rules cannot conclude, and what is missing, what most of them lack first."""
    reasons = [evidence.lacks(finding) for finding in undecided]
    ordered = sorted(dict.fromkeys(reasons), key=lambda reason: -reasons.count(reason))
    return words.count(
        "On ne peut pas conclure pour %(num)s règle. Il manque : %(what)s.",
        "On ne peut pas conclure pour %(num)s règles. Il manque : %(what)s.",
        len(reasons),
        what=words.listed([evidence.lacking(reason, words) for reason in ordered]),
    )


def in_order(own: OwnMachine) -> list[str]:
    """Rules by name, what is flagged before the rest."""
    return sorted(own.findings, key=lambda rule: (own.findings[rule].status is not FindingStatus.FLAGGED, rule))


def _told(own: OwnMachine, rule: str, words: Words) -> dict[str, Any]:
    finding = own.findings[rule]
    given = home.answer_to(own, finding)
    undecided = finding.status is FindingStatus.INSUFFICIENT_EVIDENCE
    return {
        "rule": rule,
        "name": evidence.rule_name(rule, words),
        "status": evidence.status_name(finding.status, words),
        "flagged": finding.status is FindingStatus.FLAGGED,
        "undecided": undecided,
        "lacks": evidence.lacks(finding) if undecided else "",
        "why": evidence.why(finding, words, own.outlook),
        "answer": home.answer_in_words(given, words) if given else None,
        "offered": home.offered(own, finding),
        "since": finding.since,
        "rows": evidence_rows.rows(finding, words),
        "weeks": evidence_rows.weeks(finding, words),
    }
