"""The deployed broker's listener for certificates, and devices that show one there."""

import socket
import ssl
from pathlib import Path

from bus import certificates
from tests.deploy.broker import DeployedBroker, Probe
from tests.patience import PATIENCE_S

CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"


class Door:
    """The broker with its listener for certificates, and the folder that its devices' keys are written to."""

    def __init__(self, broker: DeployedBroker, port: int, keys: Path) -> None:
        self.broker, self.port, self.keys = broker, port, keys
        self.folder = broker.state / "mosquitto" / "secrets"

    def issue(self, member: str, device: str, days: int = certificates.DAYS) -> ssl.SSLContext:
        """A new certificate as its device holds it."""
        made = certificates.add_device(self.folder, member, device, days)
        place = self.keys / f"{len(list(self.keys.iterdir()))}"
        place.mkdir()
        return self.context(*certificates.write(made, place))

    def context(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        trusted = ssl.create_default_context(cafile=str(self.folder / "server.crt"))
        if certificate is not None:
            trusted.load_cert_chain(certificate, key)
        return trusted

    def enter(self, context: ssl.SSLContext, **more: object) -> Probe:
        """A client with this certificate, which sends the collector's login and client id beside it."""
        password = self.broker.passwords["ingest"]
        return Probe(self.port, "ingest", password, tls=context, client_id="resilian-ingest", **more)  # type: ignore[arg-type]  # passed on

    def lets_in(self, context: ssl.SSLContext) -> bool:
        """Whether a connection with this certificate is answered at all."""
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as raw,
            ):
                raw.sendall(CONNECT)
                return raw.recv(4)[:1] == b"\x20"
        except (ssl.SSLError, ConnectionError):
            return False
