"""The set-up script and the dashboard's queries on a real InfluxDB 2; figures arrive as they do in production."""

import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from gateway.metrics import Metrics
from gateway.plumbing import _TOLD
from store import connect
from tests.deploy.conftest import ROOT
from tests.servers import InfluxServer

pytestmark = pytest.mark.influxd

ORG = "réseau nord"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "plumbing.json").read_text())
QUERIES = [(panel["title"], target["query"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


def setup(server: InfluxServer, state: Path, metrics: str = "http://127.0.0.1:9/metrics", org: str = ORG) -> Any:
    command = [
        sys.executable, str(ROOT / "deploy" / "influxdb" / "setup"), "--url", server.address, "--org", org,
        "--metrics", metrics, "--secrets", str(state / "secrets"),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ask(server: InfluxServer, token: str, path: str, body: dict[str, object] | None = None) -> Any:
    """The answer's JSON or text, or its status from 400 on."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.address + path, data)  # our own server
    request.add_header("Authorization", f"Token {token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # likewise
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code
    return json.loads(text) if text.startswith("{") else text


def flux(server: InfluxServer, token: str, query: str) -> Any:
    """CSV of a query."""
    return ask(server, token, "/api/v2/query?org=" + quote(ORG), {"query": query, "type": "flux"})


def secret(state: Path, name: str) -> str:
    return (state / "secrets" / name).read_text().strip()


async def test_set_up_twice_is_set_up_once_and_the_programs_can_work(fresh_influxd: InfluxServer, state: Path) -> None:
    first = setup(fresh_influxd, state)
    assert first.returncode == 0, first.stderr
    tokens = [secret(state, name) for name in ("influx-token", "grafana-influx-token", "influx-operator-token")]
    assert all(tokens)
    assert not any(token in first.stdout + first.stderr for token in tokens)
    inode = (state / "secrets" / "influx-token").stat().st_ino
    assert setup(fresh_influxd, state).returncode == 0
    assert [secret(state, name) for name in ("influx-token", "grafana-influx-token", "influx-operator-token")] == tokens
    assert (state / "secrets" / "influx-token").stat().st_ino == inode  # it may be mounted by itself
    scrapers = ask(fresh_influxd, tokens[2], "/api/v2/scrapers")["configurations"]
    assert [one["url"] for one in scrapers] == ["http://127.0.0.1:9/metrics"]
    store = connect(f"influxdb+{fresh_influxd.address}?org={ORG}", token=tokens[0])
    await store.open()
    assert await store.known_machines() == []
    await store.close()


def test_a_lost_or_revoked_token_is_made_again(fresh_influxd: InfluxServer, state: Path) -> None:
    assert setup(fresh_influxd, state).returncode == 0
    lost = secret(state, "influx-token")
    (state / "secrets" / "influx-token").write_text("revoked\n")
    (state / "secrets" / "grafana-influx-token").unlink()
    assert setup(fresh_influxd, state).returncode == 0
    assert secret(state, "influx-token") not in ("revoked", lost)
    assert ask(fresh_influxd, lost, "/api/v2/buckets") == 401
    assert secret(state, "grafana-influx-token")


def test_grafana_reads_plumbing_alone_and_programs_administer_nothing(fresh_influxd: InfluxServer, state: Path) -> None:
    assert setup(fresh_influxd, state).returncode == 0
    programs, grafana = secret(state, "influx-token"), secret(state, "grafana-influx-token")
    org = ask(fresh_influxd, programs, "/api/v2/orgs")["orgs"][0]["id"]
    raw = {"orgID": org, "name": "dupont-raw", "retentionRules": []}
    assert ask(fresh_influxd, grafana, "/api/v2/buckets", raw) in (401, 403)
    assert ask(fresh_influxd, programs, "/api/v2/buckets", raw)["name"] == "dupont-raw"
    assert [one["name"] for one in ask(fresh_influxd, grafana, "/api/v2/buckets")["buckets"]] == ["plumbing"]
    assert flux(fresh_influxd, grafana, 'from(bucket: "dupont-raw") |> range(start: -1h)') == 404
    assert isinstance(flux(fresh_influxd, programs, 'from(bucket: "dupont-raw") |> range(start: -1h)'), str)
    refused = ask(fresh_influxd, programs, "/api/v2/authorizations", {"orgID": org, "permissions": []})
    assert refused in (400, 401, 403)


def test_another_organisation_or_operator_token_is_said(fresh_influxd: InfluxServer, state: Path) -> None:
    assert setup(fresh_influxd, state).returncode == 0
    other = setup(fresh_influxd, state, org="autre")
    assert other.returncode == 3
    assert "'autre'" in other.stderr
    (state / "secrets" / "influx-operator-token").write_text("other")
    stranger = setup(fresh_influxd, state)
    assert stranger.returncode == 3
    assert "influx-operator-token" in stranger.stderr
    assert "Traceback" not in stranger.stderr


@pytest.fixture
def metrics() -> Iterator[str]:
    """The gateway's own figures at a URL, growing with every look."""
    own, looks = Metrics(), iter(range(1, 1_000_000))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            look = next(looks)
            own.connected.set(1)
            own.store.set(1)
            for program in ("ingest", "analytics"):
                own.alive.labels(program).set(1)
                for number, figure in enumerate(_TOLD):
                    own.figures.labels(program, figure).set(100 * number + look)
            text = own.text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            """Nothing on the test's output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_panel_has_data_once_the_server_has_fetched_the_gateways_figures(
    fresh_influxd: InfluxServer, state: Path, metrics: str
) -> None:
    assert setup(fresh_influxd, state, metrics).returncode == 0
    token, waiting = secret(state, "grafana-influx-token"), dict(QUERIES)
    deadline = time.monotonic() + 120
    while waiting:  # the server looks every ten seconds; a rate needs two looks
        for title, query in list(waiting.items()):
            csv = flux(fresh_influxd, token, in_window(query))
            assert isinstance(csv, str), (title, csv)
            if "_result" in csv:
                del waiting[title]
        assert time.monotonic() < deadline, f"no data for {sorted(waiting)}"


def in_window(query: str) -> str:
    """The query with what Grafana puts in place of its variables."""
    known = {"v.timeRangeStart": "-1h", "v.timeRangeStop": "now()", "v.windowPeriod": "1s"}
    text = query
    for name, value in known.items():
        text = text.replace(name, value)
    assert "v." not in re.sub(r'"[^"]*"', "", text), text
    return text


def test_the_dashboard_is_plumbing_alone() -> None:
    text = json.dumps(DASHBOARD)
    assert "member" not in re.sub(r'"description": "[^"]*"', "", text)
    buckets = {bucket for _, query in QUERIES for bucket in re.findall(r'from\(bucket: "([^"]+)"\)', query)}
    assert buckets == {"plumbing"}
    figures = {name for _, query in QUERIES for name in re.findall(r'r\.name == "(\w+)"', query)}
    assert figures <= set(_TOLD)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)


def test_provisioning_names_what_there_is() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "influxdb.yml").read_text())["datasources"]
    assert {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]} == {
        source["uid"]
    }
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "resilian.yml").read_text())["providers"]
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    assert provider["options"]["path"] in mounted
    assert source["secureJsonData"]["token"] == "$__file{/run/secrets/grafana-influx-token}"
    assert "grafana-influx-token" in service["secrets"]
