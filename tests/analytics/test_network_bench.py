"""The rules on a small simulated network, against its ground truth; ``scripts/bench network`` has a large one."""

from collections.abc import Sequence

import pytest

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
