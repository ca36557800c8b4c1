"""Defaults of trades: complete, plausible, overridden by the machine."""

from fleet import trades
from fleet.network import Machine, Trade


def test_every_trade_has_its_facts_and_its_three_names() -> None:
    assert set(trades.TRADES) == set(Trade)
    for facts in trades.TRADES.values():
        assert all((facts.fr, facts.de, facts.en))
        assert 0 < facts.minimum_hours <= 24
        assert 0 <= facts.changeover_hours < facts.minimum_hours
        assert 0 < facts.threshold < 1
    for language in ("fr", "de", "en"):
        names = [facts.name(language) for facts in trades.TRADES.values()]
        assert len(set(names)) == len(names)
    assert trades.TRADES[Trade.PAINT].name("it") == "painting"


def test_families_are_five_and_a_utility_is_in_none() -> None:
    assert len(trades.Family) == 5
    assert set(trades.FAMILY_NAMES) == set(trades.Family)
    assert {facts.family for facts in trades.TRADES.values()} == {*trades.Family, None}
    assert [trade for trade, facts in trades.TRADES.items() if facts.family is None] == [Trade.UTILITY]


def test_the_machine_says_better() -> None:
    booth = Machine(id="a", name="A", trade=Trade.PAINT)
    assert trades.minimum_hours(booth) == trades.TRADES[Trade.PAINT].minimum_hours
    own = Machine(id="a", name="A", trade=Trade.PAINT, minimum_hours=1.5, changeover_hours=0.0, hold_after_hours=0.0)
    assert (trades.minimum_hours(own), trades.changeover_hours(own), trades.hold_after_hours(own)) == (1.5, 0.0, 0.0)
    assert trades.threshold(own) == 0.40
