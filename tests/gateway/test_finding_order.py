"""The owner's page of a machine begins with what asks for an answer."""

from datetime import UTC, datetime

from fleet import registry
from fleet.batch import MachineKey
from fleet.network import Machine, Member, Place
from fleet.records import Document, Finding, FindingStatus
from fleet.states import UNKNOWN
from gateway.access import OwnMachine
from gateway.catalog import LANGUAGES
from gateway.evidence import MISSING
from gateway.pages.machine_findings import in_order, line
from gateway.present import Present
from gateway.words import words
from store.base import Store
from tests.gateway.running import Running, until_text

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)


def finding(rule: str, status: FindingStatus) -> Finding:
    return Finding(member="m", machine="x", rule=rule, status=status, since=NOW, reason="because", evidence={})


def test_what_is_flagged_comes_before_the_rest() -> None:
    member = Member(slug="m", name="M", place=Place(commune="X"), machines=(Machine(id="x", name="X"),))
    said = [
        finding("degrading-coverage", FindingStatus.CLEAR),
        finding("moved-clamp", FindingStatus.INSUFFICIENT_EVIDENCE),
        finding("overload", FindingStatus.FLAGGED),
        finding("structural-underuse", FindingStatus.FLAGGED),
    ]
    silent = Present(UNKNOWN, None, None, silent=True, basis="none")
    own = OwnMachine(member, member.machines[0], MachineKey("m", "x"), None, {one.rule: one for one in said}, silent)
    assert in_order(own) == ["overload", "structural-underuse", "degrading-coverage", "moved-clamp"]


def test_what_cannot_be_concluded_is_one_line_with_what_is_missing() -> None:
    words_of = {language: words(language, "Europe/Paris") for language in LANGUAGES}
    undecided = [
        finding(rule, FindingStatus.INSUFFICIENT_EVIDENCE).model_copy(update={"reason": reason})
        for rule, reason in (("a", "feed"), ("b", "history"), ("c", "history"))
    ]
    assert line(undecided, words_of["fr"]) == (
        "On ne peut pas conclure pour 3 règles. Il manque\u00a0: des semaines de relevés et une liaison qui parle."
    )
    assert line(undecided[:1], words_of["fr"]).startswith("On ne peut pas conclure pour 1 règle.")
    assert line(undecided, words_of["en"]) == (
        "Insufficient evidence for 3 rules. Missing: weeks of readings and a feed that speaks."
    )
    said = {
        line([one.model_copy(update={"reason": reason})], words_of["de"]) for one in undecided for reason in MISSING
    }
    assert len(said) == len(MISSING)


async def test_the_page_folds_them_behind_the_flagged_ones(gateway: Running, store: Store) -> None:
    found = [
        finding("overload", FindingStatus.INSUFFICIENT_EVIDENCE).model_copy(update={"reason": "life"}),
        finding("moved-clamp", FindingStatus.INSUFFICIENT_EVIDENCE).model_copy(update={"reason": "state"}),
    ]
    for one in found:
        one = one.model_copy(update={"member": "alsalac", "machine": "cabine-1"})
        body = one.model_dump_json()
        await store.write_documents(
            [Document(member="alsalac", machine="cabine-1", kind=f"finding/{one.rule}", at=1, body=body)]
        )
        await gateway.publish(f"net/v1/findings/alsalac/cabine-1/{one.rule}", body.encode())
    html = await until_text(gateway, "/machines/alsalac/cabine-1", "On ne peut pas conclure pour 2 règles.")
    shown, _, folded = html.partition('<details class="undecided">')
    folded = folded.split("</section>")[0]
    assert "surcharge" in folded
    assert "pince déplacée" in folded
    assert "sous-utilisation durable" in shown
    assert 'href="#calibration">Étalonner la machine' in folded
    assert "Elle fonctionne" in folded
    await gateway.post("/machines/alsalac/cabine-1/works", 303, None)
    machine = registry.load(gateway.fleet.folder).machine(MachineKey("alsalac", "cabine-1"))
    assert machine is not None
    assert machine.works_confirmed == datetime.now(UTC).date()
    for role in ("coordinator", "owner:declare", "startup", "operator"):
        await gateway.as_visitor(role).post("/machines/alsalac/cabine-1/works", 404, None)
