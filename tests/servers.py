"""Real servers for tests: started on a free port of 127.0.0.1, killed and started again on the same one."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no outgoing connection takes meanwhile."""
    for port in random.sample(range(10_000, 30_000), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def cache_dir() -> Path:
    """Where what is built once for the tests is kept."""
    return Path(os.environ.get("RESILIAN_CACHE") or Path.home() / ".cache" / "resilian")


def find_mosquitto() -> str | None:
    """The broker's program, which Debian keeps out of an ordinary user's path."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def need_mosquitto() -> str:
    """The broker's program; a test without it is skipped."""
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed; scripts/test installs it where it may: apt install mosquitto")
    return program


def find_influxd() -> str | None:
    """The server that ``scripts/build-influxd`` builds, else one on the path."""
    return _built("influxd")


def find_telegraf() -> str | None:
    """The program that ``scripts/build-telegraf`` builds, else one on the path."""
    return _built("telegraf")


def _built(name: str) -> str | None:
    version = (Path(__file__).parents[1] / "scripts" / "lib" / f"{name}.version").read_text().strip()
    built = cache_dir() / f"{name}-{version}" / name
    return str(built) if built.is_file() else shutil.which(name)


class Server:
    """A program that listens on ``port``; what it prints goes to ``log``."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again on the same port, and wait until it accepts connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not self.ready():
            assert self._process.poll() is None, self.log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, f"{self._command[0]} does not answer on port {self.port}"
            time.sleep(0.01)

    def ready(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def hold(self) -> None:
        """SIGSTOP: it lives and does nothing."""
        self.signal(signal.SIGSTOP)

    def go(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE_S)


class Mosquitto(Server):
    """Mosquitto with these settings beside a listener and a folder of its own; ``lines`` are of the listener.

    Attributes:
        database: where it keeps what it persists.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], lines: tuple[str, ...] = (), *, anonymous: bool = True
    ) -> None:
        port = free_port()
        text = [
            *(f"{name} {value}" for name, value in settings.items()),
            f"persistence_location {folder}/",
            *(["user root"] if os.geteuid() == 0 else []),
            f"listener {port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            *lines,
        ]
        folder.mkdir(exist_ok=True)
        config = folder / "mosquitto.conf"
        config.write_text("\n".join(text) + "\n")
        self.database = folder / "mosquitto.db"
        super().__init__([need_mosquitto(), "-c", str(config)], port, folder / "mosquitto.log")

    @property
    def url(self) -> str:
        """As ``bus.client.BrokerAddress.parse`` takes it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def save(self) -> None:
        """Have it write what it persists now, and wait."""
        before = self._saved_ns()
        self.signal(signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE_S
        while self._saved_ns() == before:
            assert time.monotonic() < deadline, "mosquitto does not save"
            time.sleep(0.002)

    def _saved_ns(self) -> int:
        return self.database.stat().st_mtime_ns if self.database.exists() else 0


class Broker(Mosquitto):
    """Mosquitto that keeps everything over a kill, and has no limit on what it queues.

    It writes when it is killed, not at every change: a save for each message took ten times as long as the messages.
    """

    def __init__(self, folder: Path) -> None:
        settings = {
            "persistence": "true",
            "max_queued_messages": "0",
            "max_queued_bytes": "0",
            "max_inflight_messages": "1000",
            "queue_qos0_messages": "true",
        }
        super().__init__(folder, settings)

    def kill(self) -> None:
        """kill -9 of what has just been saved."""
        if self._process is not None and self._process.poll() is None:
            self.save()
        super().kill()


@dataclass(frozen=True)
class Organisation:
    """One organisation of an InfluxDB server and an all-access token in it."""

    name: str
    id: str
    token: str
    url: str
    """As ``store.connect`` takes it."""


class InfluxServer(Server):
    """A real InfluxDB 2 with its data in ``folder``; each test takes an organisation of its own."""

    token = "operator-token-of-the-tests"

    def __init__(self, program: str, folder: Path) -> None:
        port = free_port()
        command = [
            program, "run", "--reporting-disabled", "--log-level", "error", "--http-bind-address", f"127.0.0.1:{port}",
            "--bolt-path", str(folder / "influxd.bolt"), "--sqlite-path", str(folder / "influxd.sqlite"),
            "--engine-path", str(folder / "engine"),
        ]  # fmt: skip
        super().__init__(command, port, folder / "influxd.log")

    @property
    def address(self) -> str:
        """``http://host:port``."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._answer("GET", "/health", None)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def set_up(self) -> None:
        """The first user, organisation and token of a fresh server."""
        self.call(
            "POST",
            "/api/v2/setup",
            {"username": "tests", "password": "tests-tests", "org": "resilian", "bucket": "first", "token": self.token},
        )

    def organisation(self, name: str | None = None) -> Organisation:
        """A new organisation with a token that may do all inside it and nothing outside."""
        name = name or f"org-{uuid.uuid4().hex[:12]}"
        identity = self.call("POST", "/api/v2/orgs", {"name": name})["id"]
        kinds = [{"type": kind, "orgID": identity} for kind in ("buckets", "dbrp")]
        kinds.append({"type": "orgs", "id": identity})
        permissions = [{"action": action, "resource": kind} for kind in kinds for action in ("read", "write")]
        made = self.call("POST", "/api/v2/authorizations", {"orgID": identity, "permissions": permissions})
        return Organisation(name, identity, made["token"], f"influxdb+{self.address}?org={name}")

    def bucket(self, name: str) -> Any:
        """The first bucket of that name in any organisation: its ``id``, ``orgID`` and more."""
        return self.call("GET", f"/api/v2/buckets?name={name}")["buckets"][0]

    def send_lines(self, org_id: str, bucket: str, lines: str) -> None:
        """Write line protocol as another program would."""
        status, text = self._answer("POST", f"/api/v2/write?orgID={org_id}&bucket={bucket}", lines.encode())
        assert status == 204, text

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request of the server's own API with the operator's token; the answer's JSON, or None."""
        status, text = self._answer(method, path, None if body is None else json.dumps(body).encode())
        assert status < 300, (method, path, status, text)
        return json.loads(text) if text else None

    def _answer(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {"Authorization": f"Token {self.token}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
