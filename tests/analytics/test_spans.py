"""Sets of spans against sets of minutes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.spans import Spans, both, hourly, of_hours, united, without

pairs = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=12)


def minutes(spans: Spans) -> set[int]:
    return {minute for start, end in spans for minute in range(int(start), int(end))}


def covered(given_: list[tuple[int, int]]) -> set[int]:
    return {minute for start, end in given_ for minute in range(start, end)}


@given(pairs)
def test_united_is_the_union_sorted_and_disjoint(given_: list[tuple[int, int]]) -> None:
    spans = united(given_)
    assert minutes(spans) == covered(given_)
    assert (spans[1:, 0] > spans[:-1, 1]).all()
    assert (spans[:, 1] > spans[:, 0]).all()


@given(pairs, pairs)
def test_both_and_without_are_those_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    assert minutes(both(united(one), united(other))) == covered(one) & covered(other)
    assert minutes(without(united(one), united(other))) == covered(one) - covered(other)


@given(pairs)
def test_seconds_of_each_hour(given_: list[tuple[int, int]]) -> None:
    spans = united((start * 60, end * 60) for start, end in given_)
    found = hourly(spans, 0, 4)
    expected = [60.0 * len([m for m in covered(given_) if m // 60 == hour]) for hour in range(4)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_hours_of_a_mask() -> None:
    mask = np.array([True, True, False, True])
    assert of_hours(mask, 7200).tolist() == [[7200, 14400], [18000, 21600]]
    assert of_hours(np.zeros(3, dtype=np.bool_), 0).shape == (0, 2)
