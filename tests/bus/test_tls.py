"""mqtts:// on a real Mosquitto with an authority of our own."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.client import BrokerAddress, Session
from tests.bus.brokers import Mosquitto, running, until

pytestmark = pytest.mark.mosquitto


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificate(folder: Path, name: str, extension: str) -> None:
    """``name.pem`` and ``name.key``, signed by ``ca.pem``."""
    (folder / "extension").write_text(extension)
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "extension", "-out", f"{name}.pem")  # fmt: skip


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    openssl(tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    certificate(tmp_path, "server", "subjectAltName=IP:127.0.0.1")
    certificate(tmp_path, "client", "subjectAltName=DNS:client")
    files = [f"{line} {tmp_path}/{file}" for line, file in
             (("cafile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key"))]  # fmt: skip
    one = Mosquitto(tmp_path, *files, "require_certificate true")
    await one.start()
    yield one
    await one.kill()


async def test_our_authority_and_a_client_certificate(broker: Mosquitto, tmp_path: Path) -> None:
    url = f"mqtts://127.0.0.1:{broker.address.port}?ca={tmp_path}/ca.pem&cert={tmp_path}/client.pem&key={tmp_path}/client.key"
    received: list[bytes] = []
    session = Session(
        BrokerAddress.parse(url),
        client_id="program",
        subscriptions=["m/#"],
        on_burst=lambda burst: received.extend(one.payload for one in burst.deliveries),
    )
    async with running(session):
        session.pause()
        session.resume()
        await session.publish_all([("m/a", bytes(300_000)), ("m/a", b"2")])
        await until(lambda: received == [bytes(300_000), b"2"])


@pytest.mark.parametrize(
    ("scheme", "query", "needle"),
    [
        ("mqtts", "", "certificate is not trusted"),
        ("mqtts", "?ca={folder}/missing.pem", "missing.pem' cannot be read"),
        ("mqtts", "?ca={folder}/ca.key", "TLS failed"),
        ("mqtt", "", "127.0.0.1"),
    ],
)
async def test_what_is_wrong_with_tls_is_named(
    broker: Mosquitto, tmp_path: Path, scheme: str, query: str, needle: str
) -> None:
    url = f"{scheme}://127.0.0.1:{broker.address.port}{query.format(folder=tmp_path)}"
    session = Session(BrokerAddress.parse(url), client_id="program")
    async with running(session, connected=False):
        await until(lambda: session.state.reason != "not connected yet")
        assert needle in session.state.reason
        assert not session.connected


async def test_tls_to_a_port_without_it(tmp_path: Path) -> None:
    plain = Mosquitto(tmp_path)
    await plain.start()
    session = Session(BrokerAddress("127.0.0.1", plain.address.port, tls=True), client_id="program")
    async with running(session, connected=False):
        await until(lambda: session.state.reason != "not connected yet")
        assert not session.connected
    await plain.kill()
