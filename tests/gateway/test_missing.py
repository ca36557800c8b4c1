"""Readings that never came, on the operator's page."""

from datetime import UTC, datetime

import pytest

from gateway import missing
from gateway.messages import Health
from gateway.words import words

AT = int(datetime(2026, 3, 2, 9, 2, tzinfo=UTC).timestamp() * 1000)


def lacking(name: str, count: int, *spans: tuple[int, int], kind: str = "machine") -> dict[str, object]:
    ranges = [{"first": a, "last": b, "after": AT, "before": AT + 180_000, "boot": 3} for a, b in spans]
    return {"member": "zorn", kind: name, "missing": count, "ranges": ranges, "restart": None}


def heard(*machines: dict[str, object], alive: bool = True) -> Health:
    return Health.model_validate({"program": "ingest", "alive": alive, "gaps": {"machines": machines}})


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", "zorn.cabine : 12 relevés manquent, lundi 2 mars 10 h 02 \N{EN DASH} 10 h 05 (n° 811-822)."),
        ("de", "zorn.cabine: 12 Messwerte fehlen, Montag, 2. März 10:02 \N{EN DASH} 10:05 (Nr. 811-822)."),
        ("en", "zorn.cabine: 12 readings are missing, Monday 2 March 10:02 \N{EN DASH} 10:05 (no. 811-822)."),
    ],
)
def test_it_says_how_many_when_and_which(language: str, said: str) -> None:
    spoken = words(language, "Europe/Paris")
    ((cost, text, todo),) = missing.reports(heard(lacking("cabine", 12, (811, 822))), spoken)
    assert " ".join(text.split()) == said
    assert cost > 70
    assert todo


def test_many_machines_are_counted_and_nodes_are_named() -> None:
    spoken = words("en", "Europe/Paris")
    machines = [lacking(f"m{number}", 1, (5, 5)) for number in range(12)]
    node = lacking("line", 4, (1, 1), (3, 3), (5, 5), (7, 7), kind="node")
    found = [text for _, text, _ in missing.reports(heard(node, *machines), spoken)]
    assert found[0].startswith("zorn.line: 4 Sparkplug messages are missing,")
    assert found[0].endswith("(no. 1, 3, 5, …).")
    assert found[-1] == "Readings of 3 other machines are missing."
    assert len(found) == 11


def test_a_count_that_began_again_is_said() -> None:
    body = {**lacking("cabine", 0), "restart": {"at_ms": AT, "top": 822, "number": 0}}
    ((cost, text, _),) = missing.reports(heard(body), words("en", "Europe/Paris"))
    assert text == "zorn.cabine: the count begins again at 0 after 822, without a new `boot`."
    assert cost < 70


def test_nothing_missing_or_nobody_who_knows() -> None:
    spoken = words("en", "Europe/Paris")
    assert missing.reports(None, spoken) == []
    assert missing.reports(heard(), spoken) == []
    assert missing.reports(heard(lacking("cabine", 1, (1, 1)), alive=False), spoken) == []
