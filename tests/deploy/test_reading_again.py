"""The broker reads its logins again by itself: a change is in force without a person, and nothing ends for it."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import logins
from tests.deploy.broker import DeployedBroker, Probe, Refused
from tests.deploy.conftest import devices
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.mosquitto


def until(holds: Callable[[], bool]) -> None:
    """Return when it holds; each turn waits for the broker's answer."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline


def enters(broker: DeployedBroker, login: str, password: str) -> bool:
    try:
        Probe(broker.port, login, password).close()
    except Refused:
        return False
    return True


def test_two_logins_made_one_after_the_other_both_work(broker: DeployedBroker) -> None:
    secrets = broker.state / "mosquitto" / "secrets"
    staying = broker.client("dupont.prise-1")
    for number in range(3):
        login, password = logins.add_device(secrets, "ulm", f"neuf-{number}")
        until(lambda: enters(broker, login, password))  # noqa: B023 - asked at once
    staying.publish("m/dupont/prise-1/reading")  # the connection that was there is there
    staying.close()


def test_a_login_that_got_another_password_takes_it_alone(broker: DeployedBroker) -> None:
    old = broker.passwords["ulm.tour"]
    devices(broker.state, "remove", "ulm", "tour")
    said = dict(line.split(" ", 1) for line in devices(broker.state, "add", "ulm", "tour").stdout.splitlines())
    until(lambda: enters(broker, "ulm.tour", said["password"]))
    assert not enters(broker, "ulm.tour", old)


def test_it_ends_as_the_broker_does_and_hears_the_signal_by_hand(broker: DeployedBroker) -> None:
    said = dict(line.split(" ", 1) for line in devices(broker.state, "add", "ulm", "neuf").stdout.splitlines())
    broker.signal(signal.SIGHUP)
    until(lambda: enters(broker, "ulm.neuf", said["password"]))
    assert broker.alive
    broker.stop()
    assert not broker.alive


def test_nothing_secret_is_left_in_the_log(broker: DeployedBroker, tmp_path: Path) -> None:
    login, password = logins.add_device(broker.state / "mosquitto" / "secrets", "ulm", "neuf")
    until(lambda: enters(broker, login, password))
    log = broker.log.read_text()
    assert login in log
    assert password not in log
