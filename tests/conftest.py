"""Fixtures that several rooms share, and the rule about what is missing.

A test whose part is not on this machine is skipped by name, and a table at the end says which and why. With ``CI=true``
it fails instead; only tests of recordings, which are not part of the project, may be skipped there.
"""

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import Broker, InfluxServer, find_influxd

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Mosquitto; ``url``, ``port``, ``kill()``, ``start()``."""
    broker = Broker(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A running InfluxDB 2 that all tests share: take ``organisation()``, and leave the server running."""
    yield from _influxd(tmp_path_factory.mktemp("influxd"))


@pytest.fixture
def own_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A running InfluxDB 2 that the test may kill and start again."""
    yield from _influxd(tmp_path_factory.mktemp("influxd"))


def _influxd(folder: Path) -> Iterator[InfluxServer]:
    program = find_influxd()
    if program is None:
        pytest.skip("influxd is not built; needs Go and cargo: scripts/build-influxd")
    server = InfluxServer(program, folder)
    server.start()
    server.set_up()
    yield server
    server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true" and item.get_closest_marker("recordings") is None:
        report.outcome = "failed"
        report.longrepr = f"with CI=true nothing is skipped: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if not hasattr(report, "wasxfail")]
    if not skipped:
        return
    terminalreporter.section("skipped, and why")
    reasons = Counter((report.nodeid.partition("::")[0], _reason(report)) for report in skipped)
    for (path, reason), number in sorted(reasons.items()):
        terminalreporter.write_line(f"{number:4} {path}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")
