"""The embedded broker: its process, its ports, its limits."""

import asyncio
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import aiomqtt
import pytest

from bus.client import Session
from bus.embedded import MAX_MESSAGE_BYTES, BrokerUnavailable, EmbeddedBroker
from bus.packets import Hello
from bus.wire import connect_bytes
from tests.bus.brokers import Embedded, Subscriber, running, until
from tests.servers import free_port


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_it_comes_and_goes_with_its_context(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        assert accepts(broker.address.port)
        assert accepts(broker.address_v4.port)
        pid = broker.pid
        assert pid is not None
    assert broker.pid is None
    assert not accepts(broker.address.port)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def listening() -> list[tuple[str, str]]:
    """Address and port, in hexadecimal, of every listening socket."""
    lines = [
        line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return [(fields[1].split(":")[0], fields[1].split(":")[1]) for fields in lines if fields[3] == "0A"]


async def test_it_listens_on_this_machine_only(broker_here: Embedded) -> None:
    ports = {f"{address.port:04X}" for address in (broker_here.address, broker_here.address_v4)}
    assert [address for address, port in listening() if port in ports] == ["0100007F"] * 2


async def test_the_ports_asked_for_are_taken(tmp_path: Path) -> None:
    port, port_v4 = free_port(), free_port()
    async with EmbeddedBroker(tmp_path, port=port, port_v4=port_v4) as broker:
        assert (broker.address.port, broker.address_v4.port) == (port, port_v4)
        with pytest.raises(BrokerUnavailable, match=f"port {port} of 127.0.0.1 is taken"):
            async with EmbeddedBroker(tmp_path, port=port):
                pass


async def test_a_device_of_mqtt_3_reaches_a_session_of_mqtt_5(broker_here: Embedded) -> None:
    collector = Subscriber(broker_here.address)
    async with running(collector.session):
        old = broker_here.address_v4
        async with aiomqtt.Client(old.host, old.port, protocol=aiomqtt.ProtocolVersion.V311) as device:
            await device.publish("m/plant/machine/reading", b"{}", qos=1)
        await until(lambda: collector.payloads == [b"{}"])


async def test_a_broker_that_dies_is_started_again_at_its_ports(tmp_path: Path) -> None:
    sentences: list[str] = []
    async with EmbeddedBroker(tmp_path, on_restart=sentences.append) as broker:
        address, pid = broker.address, broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: sentences)
        assert broker.address == address
        assert broker.pid not in (None, pid)
        assert "ended with code -9" in sentences[0]
        session = Session(address, client_id="program")
        async with running(session):
            await session.publish_all([("m/a", b"")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_outlives_a_signal_to_the_whole_group(broker_here: Embedded, number: signal.Signals) -> None:
    assert broker_here.pid is not None
    os.kill(broker_here.pid, number)
    session = Session(broker_here.address, client_id="program")
    async with running(session):
        await session.publish_all([("m/a", b"")])
    assert broker_here.restarts == 0


async def test_a_broker_that_no_longer_answers_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.embedded._PROBE_EVERY_S", 0.05)
    monkeypatch.setattr("bus.embedded._PROBE_TIMEOUT_S", 0.1)
    sentences: list[str] = []
    async with EmbeddedBroker(tmp_path, on_restart=sentences.append) as broker:
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        await until(lambda: sentences)
        assert "did not answer" in sentences[0]


async def test_a_listener_broken_by_clients_that_hang_up_early_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.embedded._PROBE_EVERY_S", 0.05)
    sentences: list[str] = []
    hello = connect_bytes(Hello("hasty", None, None, None, keep_alive_s=10, session_expiry_s=9, receive_max=9))
    async with EmbeddedBroker(tmp_path, on_restart=sentences.append) as broker:
        address = broker.address

        while await broker._probe() and not sentences:
            for _ in range(100):
                with suppress(OSError), socket.create_connection((address.host, address.port)) as sock:
                    sock.sendall(hello)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: sentences)
        assert "did not answer" in sentences[0]


async def test_it_ends_when_its_program_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from bus.embedded import EmbeddedBroker
async def main():
    async with EmbeddedBroker(pathlib.Path({str(tmp_path)!r})) as broker:
        print(broker.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    os.kill(pid, 0)
    process.kill()
    await process.wait()
    await until(lambda: not Path(f"/proc/{pid}").exists() or "(zombie)" in Path(f"/proc/{pid}/status").read_text())


async def test_a_message_beyond_the_limit_ends_its_client_only(broker_here: Embedded) -> None:
    collector = Subscriber(broker_here.address)
    old = broker_here.address_v4
    async with running(collector.session):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(old.host, old.port, protocol=aiomqtt.ProtocolVersion.V311, timeout=1) as device:
                await device.publish("m/a", bytes(MAX_MESSAGE_BYTES + 1), qos=1)
        async with aiomqtt.Client(old.host, old.port, protocol=aiomqtt.ProtocolVersion.V311) as device:
            await device.publish("m/a", bytes(10 * 2**20), qos=1)
        await until(lambda: collector.payloads)
    assert [len(payload) for payload in collector.payloads] == [10 * 2**20]
