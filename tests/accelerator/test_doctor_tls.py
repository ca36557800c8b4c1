"""Each way a broker's certificate can be wrong is a sentence of its own; real TLS, authorities of our own."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from accelerator.doctor_broker import door
from bus.address import BrokerAddress

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certified(folder: Path, names: str, days: str = "2") -> ssl.SSLContext:
    """A server's TLS settings; the authority that signed it is ``ca.pem``."""
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", *EC, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem")  # fmt: skip
    (folder / "extension").write_text(f"subjectAltName={names}")
    openssl(folder, "req", *EC, "-subj", "/CN=broker", "-keyout", "broker.key", "-out", "broker.csr")
    openssl(folder, "x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", days, "-extfile", "extension", "-out", "broker.pem")  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "broker.pem", folder / "broker.key")
    return context


async def judged(folder: Path, context: ssl.SSLContext | None, ca: str = "ca.pem") -> list[tuple[str, str, str, str]]:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        steps = await door(BrokerAddress.parse(f"mqtts://127.0.0.1:{port}?ca={folder / ca}"))
        return [(step.name, step.status, step.detail, step.todo) for step in steps]


@pytest.mark.parametrize(
    ("names", "days", "ca", "status", "detail", "todo"),
    [
        ("IP:127.0.0.1", "2", "ca.pem", "ok", "is trusted", ""),
        ("IP:127.0.0.1", "2", "other.pem", "wrong", "not trusted", "name the authority"),
        ("IP:127.0.0.1", "-1", "ca.pem", "wrong", "expired", "has not expired"),
        ("DNS:broker.example", "2", "ca.pem", "wrong", "mismatch", "by the name that the broker's certificate carries"),
    ],
)
async def test_a_wrong_certificate_is_told_from_another(
    names: str, days: str, ca: str, status: str, detail: str, todo: str, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    first, second = await judged(tmp_path, certified(tmp_path, names, days), ca)
    assert first[:2] == ("broker", "ok")
    assert second[:2] == ("TLS", status)
    assert detail in second[2]
    assert todo in second[3]


async def test_a_port_without_tls_is_told(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certified(tmp_path, "IP:127.0.0.1")
    _, second = await judged(tmp_path, None)
    assert second[:2] == ("TLS", "wrong")
    assert "8883" in second[3]
