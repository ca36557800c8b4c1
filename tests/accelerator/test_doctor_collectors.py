"""The doctor on several collectors: each member is collected once, the flooder is named."""

from typing import Any

from accelerator.doctor_collectors import claim_steps, flood_steps
from accelerator.doctor_health import collectors


def said(**programs: dict[str, Any]) -> dict[str, Any]:
    return {f"net/v1/health/{name.replace('_', '-')}": {"alive": True, **body} for name, body in programs.items()}


def details(retained: dict[str, Any], *members: str) -> list[tuple[str, str]]:
    return [(step.status, step.detail) for step in claim_steps(retained, members)]


def test_which_there_are() -> None:
    assert collectors({}) == ["ingest"]
    assert collectors(said(ingest_north={}, analytics={}, ingester={})) == ["ingest-north"]


def test_one_alone_needs_no_step() -> None:
    assert details(said(ingest={"members": None}), "ash") == []
    assert details({}, "ash") == []


def test_each_member_has_one() -> None:
    retained = said(ingest={"members": None, "elsewhere": {"oak": "ingest-north"}}, ingest_north={"members": ["oak"]})
    assert details(retained, "ash", "oak") == [("ok", "each member is collected by one of ingest, ingest-north")]


def test_two_have_it_nobody_has_it_it_is_on_its_way() -> None:
    retained = said(ingest_south={"members": ["ash"], "adopting": ["elm"]}, ingest_north={"members": ["ash"]})
    assert details(retained, "ash", "elm", "oak") == [
        ("wrong", "ash is collected by ingest-north and ingest-south"),
        ("wrong", "elm is on its way to another collector"),
        ("wrong", "oak is collected by nobody"),
    ]


def test_the_flooder_is_named() -> None:
    loud = [{"member": "oak", "rate": 1234.5, "share": 0.4, "waiting": 17}]
    (step,) = flood_steps(said(ingest={"loud": loud}))
    assert (step.status, step.name) == ("wrong", "flood")
    assert step.detail.startswith("oak floods ingest: 1234.5 messages a second, 40% of all; its readings go apart (17 ")
    assert "oak" in step.todo
    (step,) = flood_steps(said(ingest={"loud": [{**loud[0], "apart": False}]}))
    assert "apart" not in step.detail
    assert step.detail.endswith("refused or belong to no machine, and go among the others' messages, which wait")
    assert "resilian rejects list --member oak" in step.todo
    assert flood_steps(said(ingest={})) == []
