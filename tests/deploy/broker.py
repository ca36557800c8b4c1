"""The deployed broker on a free port, and a client that proves delivery and its absence without waiting for a clock."""

import os
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.patience import PATIENCE_S
from tests.servers import Server, free_port

ROOT = Path(__file__).parents[2]


class DeployedBroker(Server):
    """deploy/mosquitto/mosquitto.conf itself, started as deployed; only its port and folders are those of the test."""

    def __init__(self, program: str, state: Path, passwords: dict[str, str], **settings: str) -> None:
        port = free_port()
        self.tls_port = free_port()
        self.state = state
        self.passwords = passwords | dict(_programs(state))
        text = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
        assert text.count("listener 1883 127.0.0.1\n") == 1
        text = text.replace("listener 1883 ", f"listener {port} ").replace("/mosquitto/", f"{state}/mosquitto/")
        for name, value in settings.items():
            text, count = re.subn(rf"(?m)^{name} .*$", f"{name} {value}", text)
            assert count == 1, name
        config = state / "test.conf"
        config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        runner, secrets = ROOT / "deploy" / "mosquitto" / "run", state / "mosquitto" / "secrets"
        super().__init__(["sh", str(runner), str(config), str(secrets), program], port, state / "mosquitto.log")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def client(self, login: str, **more: Any) -> "Probe":
        """A connected client of this login."""
        return Probe(self.port, login, self.passwords[login], **more)


def _programs(state: Path) -> list[tuple[str, str]]:
    found = []
    for path in (state / "secrets").iterdir():
        text = path.read_text()
        if "mqtt://" in text:
            account = text.partition("mqtt://")[2].partition("@")[0]
            name, _, password = account.partition(":")
            found.append((name, password))
    return found


class Refused(Exception):
    """The broker did not accept the connection; says its reason."""


class Probe:
    """One connection; every call returns when the broker has answered."""

    def __init__(
        self, port: int, login: str | None, password: str | None, *, client_id: str = "", v3: bool = False,
        will: tuple[str, bytes] | None = None, tls: ssl.SSLContext | None = None, **connect: Any,
    ) -> None:  # fmt: skip
        version = MQTTProtocolVersion.MQTTv311 if v3 else MQTTProtocolVersion.MQTTv5
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, reconnect_on_failure=False
        )
        self.heard: list[tuple[str, bytes]] = []
        self._answered = threading.Condition()
        self._welcome: Any = None
        self._acks: dict[int | None, Any] = {}
        self._ended = False
        if login is not None:
            self.client.username_pw_set(login, password)
        if will is not None:
            self.client.will_set(*will, qos=1, retain=True)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_disconnect = lambda *_: self._end_heard()
        self.client.on_publish = lambda _c, _u, mid, code, _p: self._answer(mid, code)
        self.client.on_subscribe = lambda _c, _u, mid, codes, _p: self._answer(mid, codes)
        self.client.connect("127.0.0.1", port, **connect)
        self.client.loop_start()
        with self._answered:
            assert self._answered.wait_for(lambda: self._welcome is not None, PATIENCE_S), "no CONNACK"
        welcome: Any = self._welcome
        if welcome.is_failure:
            self._end()
            raise Refused(str(welcome))

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> Any:
        """Publish at QoS 1; the reason code of the PUBACK."""
        return self._wait(self.client.publish(topic, payload, qos=1, retain=retain).mid)

    def acknowledged(self, mid: int) -> bool:
        """Whether a message was acknowledged; False as soon as the broker ended the connection instead."""
        with self._answered:
            came = self._answered.wait_for(lambda: mid in self._acks or self._ended, PATIENCE_S)
            assert came, "neither acknowledged nor ended"
            return mid in self._acks

    def subscribe(self, *filters: str) -> Any:
        """Subscribe at QoS 1; the reason codes of the SUBACK. Whatever was delivered before has been heard by then."""
        return self._wait(
            self.client.subscribe([(one, 1) for one in filters] if len(filters) > 1 else filters[0], 1)[1]
        )

    def until(self, topic: str, patience_s: float = PATIENCE_S) -> list[str]:
        """Wait for a message on the topic; all topics heard up to then."""
        with self._answered:
            heard = self._answered.wait_for(lambda: any(one == topic for one, _ in self.heard), patience_s)
            assert heard, f"nothing on {topic}; heard {self.heard}"
            return [one for one, _ in self.heard]

    def vanish(self) -> None:
        """Cut the connection without goodbye, so that the will is published."""
        sock = self.client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)  # its thread ends by it at once, not after a second
        self._end()

    def close(self) -> None:
        """Say goodbye."""
        self.client.disconnect()
        self._end()

    def _end(self) -> None:
        """Stop its thread, which may leave the connection open."""
        self.client.loop_stop()
        sock = self.client.socket()
        if sock is not None:
            sock.close()

    def _wait(self, mid: int | None) -> Any:
        with self._answered:
            assert self._answered.wait_for(lambda: mid in self._acks, PATIENCE_S), "no acknowledgement"
            return self._acks.pop(mid)

    def _answer(self, mid: int, what: Any) -> None:
        with self._answered:
            self._acks[mid] = what
            self._answered.notify_all()

    def _on_connect(self, _client: Client, _data: object, _flags: object, code: Any, _more: object) -> None:
        with self._answered:
            self._welcome = code
            self._answered.notify_all()

    def _end_heard(self) -> None:
        with self._answered:
            self._ended = True
            self._answered.notify_all()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._answered:
            self.heard.append((message.topic, bytes(message.payload)))
            self._answered.notify_all()
