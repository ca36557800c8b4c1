"""The table of levels, cell by cell, and what must never follow from a consent."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.batch import MachineKey
from fleet.consent import NOTHING, answers_to, raises, recipient_rule, see
from fleet.network import Answer, Consent, Level, Machine, Member, Offer, Place, Trade

ON = date(2026, 11, 23)
RULE = "structural-underuse"
KEY = MachineKey("dupont", "cabine")
MEASURED = Offer(kind="measured")


def grant(recipient: str, level: str, **more: object) -> Consent:
    fields = {"machine": "cabine", "recipient": recipient, "level": level, "purpose": "p", "since": date(2026, 1, 1)}
    return Consent.model_validate(fields | more)


def members(
    *consents: Consent,
    answers: tuple[Answer, ...] = (),
    back: tuple[Consent, ...] = (),
    machine: dict[str, object] | None = None,
) -> dict[str, Member]:
    booth = Machine.model_validate(
        {"id": "cabine", "name": "Cabine", "trade": Trade.PAINT, "offer": MEASURED} | (machine or {})
    )
    dupont = Member(
        slug="dupont", name="D", place=Place(commune="Hatten"), machines=(booth,), consents=consents, answers=answers
    )
    lathe = Machine(id="tour", name="T", trade=Trade.TURNING)
    ulm = Member(slug="ulm", name="U", place=Place(commune="Hatten"), machines=(lathe,), consents=back)
    return {"dupont": dupont, "ulm": ulm, "klein": Member(slug="klein", name="K", place=Place(commune="Hatten"))}


def test_by_default_nobody_but_the_owner_sees_anything() -> None:
    for recipient in (
        "coordinator",
        "member:ulm",
        "startup:alpha",
        "members",
        "network",
        "",
        "dupont",
        "member:Dupont",
    ):
        assert see(members(), KEY, recipient, ON) is NOTHING
    owner = see(members(), KEY, "member:dupont", ON)
    assert owner.owner
    assert owner.hours


def test_offers_show_windows_but_neither_name_nor_figures_nor_flag() -> None:
    answered = Answer(machine="cabine", rule=RULE, answer="propose", at=datetime(2026, 5, 1, tzinfo=UTC))
    view = see(members(grant("coordinator", "offers"), answers=(answered,)), KEY, "coordinator", ON)
    assert (view.exists, view.identity, view.windows, view.probability) == (True, "attributes", True, True)
    assert (view.hours, view.findings, view.quantities, view.since) == (False, frozenset(), frozenset(), None)


def test_hours_show_name_figures_and_the_published_flag_for_twelve_weeks_at_most() -> None:
    said = [("propose", 1), ("reserve", 2), ("propose", 3)]
    answers = tuple(
        Answer.model_validate(
            {
                "machine": "cabine",
                "rule": RULE,
                "answer": answer,
                "at": datetime(2026, 5, day, tzinfo=UTC),
            }
        )
        for answer, day in said
    )
    granted = members(grant("coordinator", "hours"), answers=answers)
    view = see(granted, KEY, "coordinator", ON)
    assert (view.identity, view.hours, view.findings, view.quantities) == (
        "name", True, frozenset({RULE}), frozenset(),
    )  # fmt: skip
    assert view.since == date(2026, 8, 31)
    recent = members(grant("coordinator", "hours", since=date(2026, 11, 1)), answers=answers[:2])
    view = see(recent, KEY, "coordinator", ON)
    assert (view.since, view.findings) == (date(2026, 11, 1), frozenset())


@pytest.mark.parametrize("rule", ["overload", "moved-clamp", "degrading-coverage", "a-rule-of-tomorrow"])
def test_no_answer_publishes_a_flag_of_another_rule(rule: str) -> None:
    said = Answer(machine="cabine", rule=rule, answer="propose", at=datetime(2026, 5, 1, tzinfo=UTC))
    assert see(members(grant("coordinator", "hours"), answers=(said,)), KEY, "coordinator", ON).findings == frozenset()
    assert "propose" not in answers_to(rule)


def test_a_stream_is_a_pseudonym_with_the_ticked_quantities_alone() -> None:
    granted = members(grant("startup:alpha", "stream", quantities=("state",), since=date(2026, 3, 1)))
    view = see(granted, KEY, "startup:alpha", ON)
    assert (view.identity, view.quantities, view.since) == ("pseudonym", frozenset({"state"}), date(2026, 3, 1))
    assert (view.windows, view.probability, view.hours, view.findings) == (False, False, False, frozenset())
    assert see(granted, KEY, "startup:beta", ON) is NOTHING
    assert see(granted, KEY, "coordinator", ON) is NOTHING


@pytest.mark.parametrize(
    ("on", "seen"),
    [(date(2026, 2, 28), False), (date(2026, 3, 1), True), (date(2026, 3, 31), True), (date(2026, 4, 1), False)],
)
def test_a_consent_holds_from_its_first_to_its_last_day(on: date, *, seen: bool) -> None:
    granted = members(grant("coordinator", "offers", since=date(2026, 3, 1), until=date(2026, 3, 31)))
    assert see(granted, KEY, "coordinator", on).exists is seen


def test_all_members_less_the_excluded() -> None:
    granted = members(grant("members", "offers"), grant("member:klein", "none"))
    assert see(granted, KEY, "member:ulm", ON).windows
    assert see(granted, KEY, "member:klein", ON) is NOTHING
    assert see(granted, KEY, "coordinator", ON) is NOTHING
    assert see(granted, KEY, "startup:alpha", ON) is NOTHING
    assert see(members(grant("members", "offers"), grant("members", "none")), KEY, "member:ulm", ON) is NOTHING


def test_none_wins_over_what_else_stands() -> None:
    granted = members(
        grant("coordinator", "hours"), grant("coordinator", "offers", purpose="q"), grant("coordinator", "none")
    )
    assert see(granted, KEY, "coordinator", ON) is NOTHING


def test_hours_between_members_hold_when_both_accept() -> None:
    one_sided = members(grant("member:ulm", "hours"))
    assert see(one_sided, KEY, "member:ulm", ON) is NOTHING
    back = (grant("member:dupont", "hours", machine="tour", until=date(2026, 12, 1)),)
    both = members(grant("member:ulm", "hours"), back=back)
    assert see(both, KEY, "member:ulm", ON).hours
    assert see(both, KEY, "member:ulm", date(2026, 12, 2)) is NOTHING
    assert see(members(grant("member:absent", "hours")), KEY, "member:absent", ON) is NOTHING


@pytest.mark.parametrize(
    ("machine", "windows", "probability"),
    [
        ({}, True, True),
        ({"offer": None}, False, False),
        ({"offer": Offer(kind="declared")}, True, False),
        ({"offer": Offer(until=date(2026, 11, 22))}, False, False),
        ({"offer": Offer(since=date(2026, 11, 24))}, False, False),
        ({"shareable": False}, False, False),
        ({"trade": Trade.UTILITY}, False, False),
    ],
)
def test_windows_need_an_offer_that_stands(machine: dict[str, object], *, windows: bool, probability: bool) -> None:
    view = see(members(grant("coordinator", "offers"), machine=machine), KEY, "coordinator", ON)
    assert (view.exists, view.windows, view.probability) == (True, windows, probability)


@pytest.mark.parametrize(
    ("recipient", "level", "fits"),
    [
        ("coordinator", "offers", True), ("coordinator", "hours", True), ("coordinator", "stream", False),
        ("members", "offers", True), ("members", "hours", False), ("members", "stream", False),
        ("member:ulm", "offers", True), ("member:ulm", "hours", True), ("member:ulm", "stream", False),
        ("startup:a", "offers", False), ("startup:a", "hours", False), ("startup:a", "stream", True),
        ("startup:a", "none", True), ("members", "none", True), ("member:dupont", "offers", False),
        ("everyone", "offers", False), ("member:", "offers", False), ("member:A B", "none", False),
    ],
)  # fmt: skip
def test_who_may_receive_which_level(recipient: str, level: str, *, fits: bool) -> None:
    consent = grant(recipient, level)
    assert (recipient_rule("dupont", consent) is None) is fits
    if not fits and level != "none":  # should one stand in a file all the same, it shows nothing
        assert not see(members(consent), KEY, recipient, ON).levels


def test_raising_and_lowering() -> None:
    offers = grant("coordinator", "offers", until=date(2026, 12, 31))
    assert raises([], [offers])
    assert not raises([offers], [])
    assert not raises([offers], [offers])
    assert raises([offers], [offers.model_copy(update={"until": None})])
    assert not raises([offers], [offers.model_copy(update={"until": date(2026, 6, 1)})])
    assert raises([offers], [offers.model_copy(update={"since": date(2025, 1, 1)})])
    assert raises([offers], [offers, grant("coordinator", "hours")])
    assert raises([offers], [offers.model_copy(update={"purpose": "autre"})])
    stream = grant("startup:a", "stream", quantities=("state", "power_w"))
    assert not raises([stream], [stream.model_copy(update={"quantities": ("state",)})])
    assert raises([stream], [stream.model_copy(update={"quantities": ("state", "count", "power_w")})])
    every, but = grant("members", "offers"), grant("member:ulm", "none")
    assert raises([every, but], [every])
    assert not raises([every], [every, but])


CONSENTS = st.lists(
    st.builds(
        grant,
        st.sampled_from(["coordinator", "members", "member:ulm", "member:klein", "startup:alpha", "nobody"]),
        st.sampled_from([level.value for level in Level]),
        since=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
        until=st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31)),
        quantities=st.lists(st.sampled_from(["state", "power_w"]), unique=True),
    ),
    max_size=6,
)
RECIPIENTS = st.sampled_from(["coordinator", "member:ulm", "member:klein", "startup:alpha", "startup:beta", "members"])


@settings(deadline=None)
@given(CONSENTS, CONSENTS, RECIPIENTS, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_whatever_stands_the_cells_keep_apart(
    mine: list[Consent], theirs: list[Consent], recipient: str, on: date
) -> None:
    known = members(*mine, back=tuple(replace_machine(consent) for consent in theirs))
    view = see(known, KEY, recipient, on)
    if not view.levels:
        assert view is NOTHING
    if recipient.startswith("startup:"):
        assert replace(view, levels=NOTHING.levels, quantities=frozenset(), since=None) in (
            NOTHING, replace(NOTHING, exists=True, identity="pseudonym"),
        )  # fmt: skip
    else:
        assert not view.quantities
        assert view.identity != "pseudonym"
    if not view.hours:
        assert not view.findings
        assert view.identity != "name"


@settings(deadline=None)
@given(CONSENTS, RECIPIENTS, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_withdrawing_leaves_nothing(mine: list[Consent], recipient: str, on: date) -> None:
    withdrawn = grant(recipient, "none", since=date(2026, 1, 1))
    assert see(members(*mine, withdrawn), KEY, recipient, on) is NOTHING


def replace_machine(consent: Consent) -> Consent:
    other = "member:dupont" if consent.recipient == "member:ulm" else consent.recipient
    return consent.model_copy(update={"machine": "tour", "recipient": other})
