"""The rules on a small simulated network, against its ground truth; ``scripts/bench network`` has a large one."""

from collections.abc import Sequence

import pytest

from tests.bench import overload
from tests.bench.network import judged
from tests.bench.network_scores import TRUTH, figures
from tests.bench.network_world import Judged

MACHINES = 75


@pytest.fixture(scope="module")
def network() -> Sequence[Judged]:
    return judged(MACHINES)


def test_flags_are_right(network: Sequence[Judged]) -> None:
    rules = figures(network)["rules"]
    assert set(TRUTH) <= set(rules)
    assert rules["structural-underuse"]["flagged"] >= 10
    for rule in TRUTH:
        assert rules[rule]["flagged"] == 0 or rules[rule]["precision"] >= 0.9, rule


def test_what_is_missing_has_a_name_and_the_rest_is_said(network: Sequence[Judged]) -> None:
    for rule, row in figures(network)["rules"].items():
        assert row["flagged"] + row["clear"] > 0.7 * row["n"], rule


def test_what_is_stated_holds(network: Sequence[Judged]) -> None:
    honesty = figures(network)["honesty"]
    assert honesty["shareable hours"]["kept"] >= honesty["shareable hours"]["stated"] - 0.05
    assert honesty["windows"][-1]["ece"] < 0.1


def test_what_is_stated_of_utilisation_has_both_ends(network: Sequence[Judged]) -> None:
    honesty = figures(network)["honesty"]
    by_power, told = honesty["utilisation, states from power"], honesty["utilisation, states told or counted"]
    assert by_power["inside"] >= 0.9
    assert by_power["mean bias"] < -0.02 < by_power["mean bias of the upper end"]
    assert told["inside"] >= 0.9
    assert told["median width"] == 0.0


def test_what_more_knowledge_would_give_is_told_beside_the_rule() -> None:
    def of(said: str, true: bool, others: float) -> overload.Case:
        return overload.Case(said, said == "insufficient_evidence", true, others)

    found = [
        *(of("flagged", True, 1.0) for _ in range(4)),
        *(of("insufficient_evidence", True, 0.9) for _ in range(4)),
        *(of("clear", true, 0.6) for true in (True, False, True, False)),
        *(of("clear", False, 0.0) for _ in range(8)),
    ]
    told = overload.rows(found)
    assert told["the rule"] == {"flags": 4, "precision": 1.0, "recall": 0.4}
    assert told["the rule, evidence sufficient"] == {"flags": 4, "precision": 1.0, "recall": 0.667}
    assert told["other months known, 95 % of them"] == told["the rule"]
    assert told["other months known, level chosen with outcomes known"]["recall"] == 0.8
    assert told["other months known, level chosen with outcomes known"]["level"] == 0.9
    assert told["the rule, judged by whether most other months are"]["recall"] == pytest.approx(4 / 12, abs=1e-3)
    assert told["true"] == {"now": 10, "most other months": 12, "both": 10}
