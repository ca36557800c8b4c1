"""CPU per message of receiving: 100,000 messages queued at a broker, drained and acknowledged by a session.

    python -m tests.bench.bench_wire [--broker mosquitto or embedded] [--messages N] [--payload BYTES] [--uvloop]

Prints one JSON object; ``cpu_us_per_message`` is the processor time of this process (the broker is another one) from
the first burst to the last, ``wire_us_per_message`` that of parsing and acknowledging alone, from memory.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bus.client import BrokerAddress, Burst, Session
from bus.packets import Delivery, Handlers
from bus.wire import Wire, puback_bytes, publish_bytes
from tests.bus.brokers import Embedded, Mosquitto

READ_BYTES = 256 * 1024
"""What asyncio reads at once."""


async def drain(address: BrokerAddress, messages: int, payload: bytes) -> dict[str, Any]:
    """Fill the queue of a session that is away, then time how it is emptied."""
    await _connect_once(Session(address, client_id="bench-collector", subscriptions=("m/#",)))
    stop = asyncio.Event()
    publisher = Session(address, client_id="bench-publisher")
    task = asyncio.create_task(publisher.run(stop))
    await publisher.publish_all((f"m/plant/machine-{index % 50}/reading", payload) for index in range(messages))
    stop.set()
    await task

    drained, stop = 0, asyncio.Event()
    bursts, began, cpu = 0, 0.0, 0.0

    def take(burst: Burst) -> None:
        nonlocal drained, bursts, began, cpu
        if not drained:
            began, cpu = time.perf_counter(), time.process_time()
        bursts += 1
        drained += len(burst.deliveries)
        collector.acknowledge(burst)
        if drained >= messages:
            stop.set()

    collector = Session(address, client_id="bench-collector", subscriptions=("m/#",), on_burst=take)
    await collector.run(stop)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
    return {
        "cpu_us_per_message": round(cpu / messages * 1e6, 3),
        "messages_per_s": round(messages / seconds),
        "messages_per_burst": round(messages / bursts, 1),
    }


async def parse(messages: int, payload: bytes) -> float:
    """Microseconds of CPU a message for parsing reads of 256 KiB and building the acknowledgements; no socket."""
    stream = b"\x20\x03\x00\x00\x00" + b"".join(
        publish_bytes(
            f"m/plant/machine-{index % 50}/reading",
            payload,
            packet_id=index % 65_535 + 1,
            retain=False,
            duplicate=False,
        )
        for index in range(messages)
    )

    def acknowledge(deliveries: list[Delivery]) -> None:
        puback_bytes([one.packet_id for one in deliveries if one.packet_id is not None])

    def nothing(*_: object) -> None:
        return

    wire = Wire(1, Handlers(nothing, nothing, acknowledge, nothing, nothing, nothing))
    began = time.process_time()
    for start in range(0, len(stream), READ_BYTES):
        wire.data_received(stream[start : start + READ_BYTES])
    return (time.process_time() - began) / messages * 1e6


async def _connect_once(session: Session) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(session.run(stop))
    await session.wait_connected()
    stop.set()
    await task


async def bench(broker: str, messages: int, payload: bytes) -> dict[str, Any]:
    """All figures of one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if broker == "embedded":
            async with Embedded(folder) as embedded:
                figures = await drain(embedded.address, messages, payload)
        else:
            mosquitto = Mosquitto(folder)
            await mosquitto.start()
            try:
                figures = await drain(mosquitto.address, messages, payload)
            finally:
                await mosquitto.kill()
    wire = round(await parse(messages, payload), 3)
    return {
        "broker": broker,
        "messages": messages,
        "payload_bytes": len(payload),
        **figures,
        "wire_us_per_message": wire,
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--broker", choices=["mosquitto", "embedded"], default="mosquitto")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--payload", type=int, default=64)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    payload = b'{"at":1700000000000,"power_w":1234.5}'.ljust(arguments.payload)
    coroutine = bench(arguments.broker, arguments.messages, payload)
    if arguments.uvloop:
        import uvloop

        figures = uvloop.run(coroutine)
    else:
        figures = asyncio.run(coroutine)
    print(json.dumps(figures))  # noqa: T201  # the output of a command


if __name__ == "__main__":
    main()
