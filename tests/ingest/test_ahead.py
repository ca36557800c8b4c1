"""A clock that is declared to be wrong: its times are taken off, and judged, by that much."""

import pytest

from ingest.decoders import Context, DecodeError, decoder
from ingest.decoders.ahead import corrected

NOW = 1_795_000_000_000
HOUR = 3_600_000
TOPIC = "m/acme/booth/reading"


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_times_are_true_and_readings_without_one_stay(off: int) -> None:
    decode = corrected(decoder("canonical"), off)
    payload = b'[{"at":%d,"power_w":1},{"power_w":2}]' % (NOW + off)
    assert [reading.at_ms for reading in decode(TOPIC, payload, Context(NOW))] == [NOW, None]


def test_the_future_is_that_of_the_device() -> None:
    decode = corrected(decoder("canonical"), HOUR)
    with pytest.raises(DecodeError) as refused:
        decode(TOPIC, b'[{"at":%d,"count":1},{"at":%d,"count":2}]' % (NOW + 2 * HOUR, NOW + HOUR), Context(NOW))
    assert [reading.at_ms for reading in refused.value.readings] == [NOW]
    assert "3600 s ahead" in refused.value.faults[0].rule


def test_local_times_of_a_declared_clock() -> None:
    decode = corrected(decoder("tasmota"), -HOUR)  # it kept winter time
    payload = b'{"Time":"2026-07-01T11:00:00","ENERGY":{"Power":1}}'
    [reading] = decode("m/acme/plug/tele/SENSOR", payload, Context(NOW))
    assert reading.at_ms == 1_782_907_200_000  # noon, UTC
