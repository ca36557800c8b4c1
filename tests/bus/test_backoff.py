"""Waits grow from attempt to attempt up to a bound, which is lower where the broker had accepted us."""

from bus.backoff import FIRST_S, LEAST_S, LONGEST_S, WELCOME_LONGEST_S, Backoff


def longest(bound_s: float, failures: int) -> float:
    """The longest of many waits after so many failures."""
    waits = []
    for _ in range(300):
        backoff = Backoff()
        backoff.failures = failures
        waits.append(backoff.failed(bound_s))
        assert backoff.failures == failures + 1
    assert min(waits) >= LEAST_S
    return max(waits)


def test_waits_double_up_to_the_bound() -> None:
    assert longest(LONGEST_S, 0) <= FIRST_S < longest(LONGEST_S, 2) <= 4 * FIRST_S
    assert WELCOME_LONGEST_S < longest(LONGEST_S, 20) <= LONGEST_S
    assert 4 * FIRST_S < longest(WELCOME_LONGEST_S, 20) <= WELCOME_LONGEST_S


def test_success_starts_anew() -> None:
    backoff = Backoff()
    for _ in range(9):
        backoff.failed()
    backoff.succeeded()
    assert backoff.failed() <= FIRST_S
