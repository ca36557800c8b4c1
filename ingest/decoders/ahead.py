"""A device whose clock is declared to be ahead, or behind: judged by its own time, read in the true one."""

from collections.abc import Iterable
from dataclasses import replace

from fleet.batch import Reading
from ingest.decoders.base import Context, Decode, DecodeError


def corrected(decode: Decode, ahead_ms: int) -> Decode:
    """The decoder for a device whose clock is ``ahead_ms`` ahead; readings without a device time stay as they are."""

    def moved(readings: Iterable[Reading]) -> list[Reading]:
        return [
            reading if reading.at_ms is None else reading._replace(at_ms=reading.at_ms - ahead_ms)
            for reading in readings
        ]

    def decoded(topic: str, payload: bytes, context: Context) -> list[Reading]:
        try:
            return moved(decode(topic, payload, replace(context, arrived_ms=context.arrived_ms + ahead_ms)))
        except DecodeError as error:
            error.readings = moved(error.readings)
            raise

    return decoded
