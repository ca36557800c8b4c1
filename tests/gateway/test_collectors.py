"""Several collectors on the operator's page: each is seen, their figures stand together, the flooder is named."""

from datetime import UTC, datetime
from typing import Any

from gateway import collectors
from gateway.live import Live
from gateway.words import words
from tests.gateway import world


def heard(*programs: tuple[str, dict[str, Any]]) -> Live:
    live = Live()
    for name, figures in programs:
        live.hear(f"net/v1/health/{name}", world.health(name, datetime.now(UTC), **figures))
    return live


def loud(member: str, rate: float) -> dict[str, Any]:
    return {"member": member, "rate": rate, "share": 0.4, "waiting": 12}


def test_one_is_expected_and_each_that_was_heard_is_there() -> None:
    assert collectors.names(heard()) == ["ingest"]
    assert collectors.names(heard(("ingest-north", {}), ("analytics", {}))) == ["ingest-north"]
    assert collectors.names(heard(("ingest-b", {}), ("ingest", {}), ("ingester", {}))) == ["ingest", "ingest-b"]


def test_figures_stand_together() -> None:
    live = heard(("ingest", {"rate": 10.0, "lag_ms": 5}), ("ingest-b", {"rate": 2.5, "lag_ms": 7}))
    assert collectors.figure(live, "rate") == 12.5
    assert collectors.figure(live, "lag_ms", max) == 7
    assert collectors.figure(live, "spool_bytes") is None


def test_the_flooder_is_named_the_worst_first() -> None:
    live = heard(("ingest", {"loud": [loud("ash", 900.0)]}), ("ingest-b", {"loud": [loud("<b>oak</b>", 2000.0)]}))
    found = collectors.floods(live, words("en", "Europe/Paris"))
    assert [text for _, text, _ in found] == [
        "<b>oak</b> floods the collector: 2,000\u202fmessages/s, 40% of all messages.",
        "ash floods the collector: 900\u202fmessages/s, 40% of all messages.",
    ]


def test_what_an_older_collector_says_is_read() -> None:
    live = heard(("ingest", {}))
    assert (collectors.floods(live, words("fr", "Europe/Paris")), live.malformed) == ([], 0)
