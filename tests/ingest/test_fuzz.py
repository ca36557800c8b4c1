"""Every decoder, fed with anything: only DecodeError comes out, and work grows no faster than the payload.

``scripts/bench fuzz`` runs the same for longer.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoders import formats
from tests.ingest.fuzzing import decode, grown, mutated, seeds, steps

SIZE = 12_000  # bytes; four times as much is the larger payload


@pytest.mark.parametrize("name", formats())
@given(payload=st.binary(max_size=300), data=st.data())
def test_bytes(name: str, payload: bytes, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds(name)))
    decode(name, seed._replace(payload=payload))


@pytest.mark.parametrize("name", formats())
@given(rng=st.randoms(use_true_random=True))
def test_nearly_right_payloads(name: str, rng: random.Random) -> None:
    decode(name, mutated(name, rng))


@pytest.mark.parametrize("name", formats())
@given(topic=st.text(st.characters(exclude_categories=["Cs"]), max_size=40), data=st.data())
def test_any_topic(name: str, topic: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(seeds(name)))
    decode(name, seed._replace(topic=topic))


@pytest.mark.parametrize("name", formats())
def test_work_is_linear(name: str) -> None:
    smaller, larger = dict(grown(name, SIZE)), dict(grown(name, 4 * SIZE))
    assert smaller
    for what, seed in smaller.items():
        few, many = (steps(lambda seed=seed: decode(name, seed)) for seed in (seed, larger[what]))  # type: ignore[misc]  # a lambda's default
        assert many <= 4.5 * few + 2_000, f"{name}, {what}: {few} and {many} lines for four times the bytes"


def test_a_fuzzer_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a decoder that fails on one payload in some is caught."""

    def broken(topic: str, payload: bytes, context: object) -> list[object]:
        return [] if b"NaN" not in payload else [1 / 0]

    monkeypatch.setattr("tests.ingest.fuzzing.decoder", lambda name: broken)
    rng = random.Random(1)
    tried = [mutated("umh", rng) for _ in range(2_000)]
    with pytest.raises(ZeroDivisionError):
        any(decode("umh", seed) for seed in tried)
